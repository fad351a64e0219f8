import { apart } from '../../shared/application/error-policy.ts';
import { planDefaults } from '../../shared/config/plan-defaults.ts';
import type { Topics } from '../../shared/config/topics.ts';
import type { OutgoingRecord, RecordProducer } from '../../shared/kafka/producer.ts';
import type { ReadUntil } from '../../shared/kafka/read-progress.ts';
import type { Wake } from '../../shared/messages/messages.ts';
import type { DueRow, DueTimes } from '../../shared/persistence/due-times.ts';
import { WAKE_LEASE } from './lease.ts';
import type { Pace } from './pace.ts';

export interface FireDueTimesDeps {
  readonly dueTimes: DueTimes;
  readonly producer: Pick<RecordProducer, 'publish'>;
  readonly topics: Pick<Topics, 'stepRequests' | 'executionRequests'>;
  /** How far the executor has come in these topics; null: nobody can tell. Bounded in time; never rejects. */
  readonly readProgress: () => Promise<ReadUntil | null>;
  /** Of one timekeeper, over all its looks. */
  readonly pace: Pace;
  /** Milliseconds since whenever. */
  readonly clock: () => number;
}

/** A look for due times ends then, however many are left: the outbox has its turn. */
const LOOK_FOR_MS = 10_000;

/**
 * Fires what is due. What was asked for and still waits in its topic is not asked for again: behind a backlog that would be a record
 * more for each that is in it, again and again. Only its lease goes on, and grows.
 * @returns how many wakes were published
 * @throws PublishError when they may not have been: their rows are due again at once; at the end, what kept one
 * row from being fired
 */
export async function fireDueTimes({
  dueTimes,
  producer,
  topics,
  readProgress,
  pace,
  clock,
}: FireDueTimesDeps): Promise<number> {
  const end = clock() + LOOK_FOR_MS;
  const { pickUpMs } = planDefaults;
  let fired = 0;
  let failure: unknown;
  for (;;) {
    const { limit } = pace;
    const { due, taken } = await dueTimes.claim({ limit, lease: WAKE_LEASE, pickUpMs });
    const readUntil = due.some(wasAskedFor) ? await readProgress() : null;
    const woken = readUntil === null ? due : due.filter((row) => !waits(row, topics, readUntil));
    try {
      await apart(
        woken,
        async (rows): Promise<[]> => {
          await producer.publish(rows.map((row) => wakeRecord(row, topics.stepRequests)));
          return [];
        },
        // One that cannot be fired is due again when its lease ends, and the others are fired.
        (_row, _fault, error) => {
          failure ??= error;
          return [];
        },
      );
    } catch (error) {
      pace.failed();
      // Where the database is away too, their leases end by themselves.
      await dueTimes.giveBack(woken).catch(() => {});
      throw error;
    }
    if (woken.length > 0) pace.answered();
    fired += woken.length;
    if (taken < limit || clock() >= end) break;
  }
  if (failure !== undefined) throw failure;
  return fired;
}

function wasAskedFor({ askedAt, requestedAt }: DueRow): boolean {
  return askedAt !== null || requestedAt !== null;
}

/** I7: what fires once an hour only, fires whatever is said to wait, for that may be wrong. */
function waits(
  { runId, askedAt, requestedAt, lease }: DueRow,
  { stepRequests, executionRequests }: FireDueTimesDeps['topics'],
  readUntil: ReadUntil,
): boolean {
  if (lease.ms >= WAKE_LEASE.longestMs) return false;
  const isUnread = (at: Date | null, topic: string) => at !== null && at.getTime() >= readUntil(topic, runId);
  return isUnread(askedAt, stepRequests) || isUnread(requestedAt, executionRequests);
}

/** To look at an attempt, or at the run itself. */
export function wakeRecord(
  { runId, stepExecutionId, firedAt }: Pick<DueRow, 'runId' | 'stepExecutionId' | 'firedAt'>,
  topic: string,
): OutgoingRecord {
  const value = {
    message_type: 'wake',
    run_id: runId,
    step_execution_id: stepExecutionId,
    timestamp: firedAt.toISOString(),
  } satisfies Wake;
  return { topic, key: runId, value };
}
