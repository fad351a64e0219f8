import { type FireDueTimesDeps, fireDueTimes } from '../../../functions/timekeeper/fire-due-times.ts';
import { Pace } from '../../../functions/timekeeper/pace.ts';
import { planDefaults } from '../../../shared/config/plan-defaults.ts';
import type { ClaimOptions, DueRow } from '../../../shared/persistence/due-times.ts';
import { leasedOf } from '../lease-model.ts';
import { topics } from '../topics.ts';

const { pickUpMs } = planDefaults;
const LOOK_EVERY_MS = 500;
/** Times of the look-ups of how far topics are read: each twice as long ago, as in shared/kafka/read-progress.ts. */
const TIMES_AGO_MS = Array.from({ length: 9 }, (_, i) => 15_000 * 2 ** i);

/** A run that waits for its execution request, then for the request of its second step, and then is done. */
interface ModelRun {
  readonly id: string;
  status: 'PENDING' | 'ASKED' | 'DONE';
  createdAt: number;
  wakeAt: number;
  leasedUntil: number | null;
  leaseMs: number | null;
}

interface Sent {
  readonly runId: string;
  readonly at: number;
}

class Topic {
  readonly sent: Sent[] = [];
  read = 0;

  readUntil(now: number): number {
    if (this.read >= this.sent.length) return Number.POSITIVE_INFINITY;
    const oldest = (this.sent[this.read] as Sent).at;
    return TIMES_AGO_MS.map((ago) => now - ago).find((time) => time <= oldest) ?? Number.NEGATIVE_INFINITY;
  }
}

export interface Backlog {
  readonly runs: number;
  /** How long the executor is stopped, from when the runs are accepted. */
  readonly stoppedMs: number;
  /** Records that the executor reads in a second, of both topics together. */
  readonly recordsPerSecond: number;
  /** What is taken out; nothing, by default. */
  readonly without?: { readonly progress?: true; readonly growth?: true };
}

export interface Drained {
  /** From the executor's start to the last run's end. */
  readonly drainedMs: number;
  readonly wakes: number;
  readonly records: number;
}

/** The real timekeeper's policy over rows and topics in memory, in virtual time: records are counted, no clock is measured. */
export async function drain({
  runs: count,
  stoppedMs,
  recordsPerSecond,
  without = {},
}: Backlog): Promise<Drained> {
  let now = 0;
  const execution = new Topic();
  const steps = new Topic();
  const runs = new Map<string, ModelRun>();
  /** By the look in which they fall due. */
  const due = new Map<number, ModelRun[]>();
  let left = count;
  let wakes = 0;

  const wakeAt = (run: ModelRun, at: number) => {
    run.wakeAt = at;
    const look = Math.ceil(at / LOOK_EVERY_MS);
    const rows = due.get(look);
    if (rows === undefined) due.set(look, [run]);
    else rows.push(run);
  };
  const waiting: ModelRun[] = [];
  const dueTimes: FireDueTimesDeps['dueTimes'] = {
    async claim({ limit, lease, pickUpMs: pickUp }: ClaimOptions) {
      const rows = waiting.splice(0, limit);
      const claimed = rows.map((run): DueRow => {
        const growing = without.growth ? { ...lease, longestMs: lease.firstMs } : lease;
        const { askedAt, leaseMs } = leasedOf(run, growing, run.status === 'ASKED' ? pickUp : null);
        wakeAt(run, now + leaseMs);
        Object.assign(run, { leasedUntil: now + leaseMs, leaseMs });
        return {
          runId: run.id,
          stepExecutionId: run.status === 'PENDING' ? null : run.id,
          firedAt: new Date(now),
          askedAt: askedAt === null ? null : new Date(askedAt),
          requestedAt: run.status === 'PENDING' ? new Date(run.createdAt) : null,
          lease: {
            table: 'workflow_runs',
            until: '',
            ms: without.growth ? 0 : leaseMs,
            wasMs: null,
          },
        };
      });
      return { due: claimed, taken: rows.length };
    },
    giveBack: async () => {},
  };
  const deps: FireDueTimesDeps = {
    dueTimes,
    producer: {
      publish: async (records) => {
        wakes += records.length;
        for (const { key } of records) steps.sent.push({ runId: key, at: now });
      },
    },
    topics,
    pace: new Pace(),
    readProgress: async () => {
      if (without.progress) return null;
      const ofSteps = steps.readUntil(now);
      const ofExecution = execution.readUntil(now);
      return (topic) => (topic === topics.stepRequests ? ofSteps : ofExecution);
    },
    clock: () => now,
  };
  /** What the engine makes of a record: what comes twice is refused. */
  const execute = ({ runId }: Sent) => {
    const run = runs.get(runId) as ModelRun;
    if (run.status === 'PENDING') {
      run.status = 'ASKED';
      Object.assign(run, { leasedUntil: null, leaseMs: null });
      wakeAt(run, now + pickUpMs);
      steps.sent.push({ runId, at: now });
    } else if (run.status === 'ASKED') {
      run.status = 'DONE';
      left--;
    }
  };

  for (let i = 0; i < count; i++) {
    const id = `run-${i}`;
    const run: ModelRun = {
      id,
      status: 'PENDING',
      createdAt: 0,
      wakeAt: 0,
      leasedUntil: null,
      leaseMs: null,
    };
    runs.set(id, run);
    wakeAt(run, pickUpMs);
    execution.sent.push({ runId: id, at: 0 });
  }
  for (let look = 0; left > 0; look++) {
    now = look * LOOK_EVERY_MS;
    for (const run of due.get(look) ?? [])
      if (run.status !== 'DONE' && Math.ceil(run.wakeAt / LOOK_EVERY_MS) === look) waiting.push(run);
    due.delete(look);
    await fireDueTimes(deps);
    if (now < stoppedMs) continue;
    for (let i = 0; i < (recordsPerSecond * LOOK_EVERY_MS) / 1_000; i++) {
      const [topic, other] = i % 2 === 0 ? [execution, steps] : [steps, execution];
      const from = topic.read < topic.sent.length ? topic : other;
      if (from.read < from.sent.length) execute(from.sent[from.read++] as Sent);
    }
    if (now > stoppedMs + 100 * 3_600_000) throw new Error(`${left} of ${count} runs never end`);
  }
  return { drainedMs: now - stoppedMs, wakes, records: execution.sent.length + steps.sent.length };
}
