import { fireDueTimes } from '../../functions/timekeeper/fire-due-times.ts';
import { LEASE_MS, WAKE_LEASE } from '../../functions/timekeeper/lease.ts';
import { Pace } from '../../functions/timekeeper/pace.ts';
import type { MessagePublisher } from '../../shared/application/ports/publishing.ts';
import { publishClaimed } from '../../shared/application/publish-claimed.ts';
import type { ClaimedEntry } from '../../shared/application/publishing-record.ts';
import { createRouteTasks, type RouteTasks } from '../../shared/application/route-tasks.ts';
import { type Attempt, isOpenAttempt, isOpenRun } from '../../shared/engine/state.ts';
import type { ReadUntil } from '../../shared/kafka/read-progress.ts';
import type { Claimed, ClaimOptions, DueRow, DueTimes } from '../../shared/persistence/due-times.ts';
import type { MemoryStore } from '../support/memory-store.ts';
import type { OutboxRow } from '../support/memory-tables.ts';
import type { BrokerModel, Message } from './broker-model.ts';
import { leasedOf } from './lease-model.ts';
import type { PublishingWatch } from './publishing-watch.ts';
import type { RegistryModel } from './registry-model.ts';
import { topics } from './topics.ts';

const LEFT_BEHIND_MS = 4_000;

export interface TimekeepersWorld {
  readonly store: MemoryStore;
  readonly broker: BrokerModel;
  readonly registry: RegistryModel;
  readonly watch: PublishingWatch;
  readonly now: number;
  found: Error | null;
  chance(probability: number): boolean;
  count(what: string): void;
  keepingClocks(publisher: MessagePublisher): MessagePublisher;
}

/** When the timekeeper looks at it. */
export function isLeftBehindAt({ createdAt, retryAt }: OutboxRow): number {
  return Math.max(createdAt + LEFT_BEHIND_MS + 1, retryAt ?? 0);
}

interface Lease {
  readonly leasedUntil: number;
  readonly leaseMs: number;
}

/** functions/timekeeper over a model of its tables: it pushes the times of rows on, and waits for no run's lock. */
export class TimekeeperModel {
  readonly #world: TimekeepersWorld;
  readonly #routeTasks: RouteTasks;
  /** By run or attempt. */
  readonly #leases = new Map<string, Lease>();
  readonly #pace = new Pace();

  constructor(world: TimekeepersWorld) {
    this.#world = world;
    this.#routeTasks = createRouteTasks({ registry: world.registry.seenByOne(), topics });
  }

  /** @returns whether anything was fired, or could not be */
  async fireDueTimes(): Promise<boolean> {
    const claimed: DueRow[] = [];
    const readUntil = this.#world.chance(0.1) ? null : this.#readUntil;
    const dueTimes: DueTimes = {
      claim: async (options) => {
        const { due, taken } = this.#claim(options);
        claimed.push(...due);
        return { due, taken };
      },
      giveBack: async (due) => this.#giveBack(due),
    };
    try {
      const fired = await fireDueTimes({
        dueTimes,
        producer: { publish: async (messages) => this.#publish(messages, readUntil === null ? [] : claimed) },
        topics,
        pace: this.#pace,
        readProgress: async () => readUntil,
        clock: () => 0,
      });
      return fired > 0;
    } catch {
      return true;
    }
  }

  /** @returns whether anything was left behind */
  async publishLeftBehind(): Promise<boolean> {
    const { store, now } = this.#world;
    const left = [...store.outbox.values()].filter((row) => isLeftBehindAt(row) <= now);
    if (left.length === 0) return false;
    for (const row of left) store.outbox.set(row.entry.id, { ...row, retryAt: now + LEASE_MS });
    const entries = left.map(
      ({ entry, createdAt, published = null, refusedSince = null }): ClaimedEntry => ({
        ...entry,
        published,
        ageMs: now - createdAt,
        refusedForMs: refusedSince === null ? null : now - refusedSince,
      }),
    );
    try {
      const { unsent } = await this.#publishEntries(entries);
      for (const id of unsent) {
        const row = store.outbox.get(id);
        if (row) store.outbox.set(id, { ...row, retryAt: null });
      }
    } catch {
      // The database went away before what was sent was noted.
    }
    return true;
  }

  #publishEntries(entries: readonly ClaimedEntry[]) {
    const { store, watch } = this.#world;
    const chance = () => this.#world.chance(0.05);
    const keepingClocks = (publisher: MessagePublisher) => this.#world.keepingClocks(publisher);
    const attemptOf = (id: string) => store.attempts.get(id)?.attempt;
    const isClosed = ({ value }: Pick<Message, 'value'>) =>
      value.message_type === 'agent_task' && !isOpenAttempt(attemptOf(`${value.step_execution_id}`)!);
    for (const message of entries.flatMap(({ messages }) => messages))
      if (isClosed(message)) watch.excuse(message);
    return watch.during(entries, (publisher) =>
      publishClaimed(
        {
          publisher: keepingClocks({
            send: (messages) => {
              const [closed] = messages.filter(isClosed);
              if (closed) watch.fail(`A task of a closed attempt is published: ${closed.key}`);
              return publisher.send(messages);
            },
          }),
          outbox: {
            remove: async (ids) => {
              if (chance()) throw new Error('Away');
              store.removeOutbox(ids);
            },
            settle: async (settlements) => {
              if (chance()) throw new Error('Away');
              store.settleOutbox(settlements);
            },
          },
          routeTasks: this.#routeTasks,
          topics,
          clock: { now: () => this.#world.now },
          loadVersions: async () => store.versions,
          loadAgentRoutes: async (names) => store.routesOf(names),
          findOpenAttempts: async (ids) =>
            new Set(ids.filter((id) => store.attempts.has(id) && isOpenAttempt(attemptOf(id)!))),
          noteOnAttempts: async () => {},
        },
        entries,
      ),
    );
  }

  /** As persistence/due-times.ts. */
  #claim({ lease, pickUpMs }: ClaimOptions): Claimed {
    const { store, now } = this.#world;
    const isDue = (wakeAt: number | null) => wakeAt !== null && wakeAt <= now;
    const leased = (id: string, wakeAt: number | null, asked: number | null) => {
      const row = { wakeAt, leasedUntil: null, leaseMs: null, ...this.#leases.get(id) };
      const { askedAt, leaseMs, wasMs } = leasedOf(row, lease, asked);
      this.#leases.set(id, { leasedUntil: now + leaseMs, leaseMs });
      return { askedAt: dateOf(askedAt), ms: leaseMs, wasMs };
    };
    const due: DueRow[] = [];
    for (const [id, row] of store.attempts) {
      const { attempt, runId } = row;
      if (!isOpenAttempt(attempt) || !isDue(attempt.wakeAt)) continue;
      const isPickUp = (attempt.wakeAt as number) < nextTimeOf(attempt);
      const { askedAt, ...lease } = leased(id, attempt.wakeAt, isPickUp ? pickUpMs : null);
      store.attempts.set(id, { ...row, attempt: { ...attempt, wakeAt: now + lease.ms } });
      due.push(this.#dueRow({ runId, stepExecutionId: id, askedAt, requestedAt: null }, lease));
    }
    for (const [runId, row] of store.runs) {
      const { run } = row;
      if (!isOpenRun(run) || !isDue(run.wakeAt)) continue;
      const requestedAt = run.status === 'PENDING' ? dateOf((run.wakeAt as number) - pickUpMs) : null;
      const { askedAt, ...lease } = leased(runId, run.wakeAt, null);
      store.runs.set(runId, { ...row, run: { ...run, wakeAt: now + lease.ms } });
      due.push(this.#dueRow({ runId, stepExecutionId: null, askedAt, requestedAt }, lease));
    }
    return { due, taken: due.length };
  }

  #dueRow(
    row: Pick<DueRow, 'runId' | 'stepExecutionId' | 'askedAt' | 'requestedAt'>,
    { ms, wasMs }: Pick<DueRow['lease'], 'ms' | 'wasMs'>,
  ): DueRow {
    const { now } = this.#world;
    const table = row.stepExecutionId === null ? 'workflow_runs' : 'step_executions';
    const lease = { table, until: `${now + ms}`, ms, wasMs } as const;
    return { ...row, firedAt: new Date(now), lease };
  }

  #giveBack(due: readonly DueRow[]): void {
    const { store, now: wakeAt } = this.#world;
    for (const { lease, ...row } of due) {
      const id = idOf(row);
      const attempt = store.attempts.get(id);
      const run = store.runs.get(id);
      if (attempt && `${attempt.attempt.wakeAt}` === lease.until)
        store.attempts.set(id, { ...attempt, attempt: { ...attempt.attempt, wakeAt } });
      else if (run && `${run.run.wakeAt}` === lease.until)
        store.runs.set(id, { ...run, run: { ...run.run, wakeAt } });
      else continue;
      if (lease.wasMs === null) this.#leases.delete(id);
      else this.#leases.set(id, { leasedUntil: wakeAt, leaseMs: lease.wasMs });
    }
  }

  /** By a timekeeper that may die between its claim and this. @param claimed what it knows to be read, or not */
  #publish(messages: readonly Message[], claimed: readonly DueRow[]): void {
    if (this.#world.chance(0.05)) return;
    for (const { value } of messages) {
      const id = value.step_execution_id ?? value.run_id;
      const row = claimed.find((each) => idOf(each) === id);
      if (row) this.#checkNotWaiting(row);
    }
    this.#world.broker.publish(messages);
  }

  /** What waits in its topic is not asked for again, until that was long ago. */
  #checkNotWaiting({ runId, stepExecutionId, askedAt, lease }: DueRow): void {
    if (askedAt === null || lease.ms >= WAKE_LEASE.longestMs) return;
    this.#world.count('asked for again');
    const asks = this.#world.broker
      .unread(topics.stepRequests, runId)
      .find(
        ({ message: { key, value }, sentAt }) =>
          key === runId &&
          (value.step_execution_id ?? null) === stepExecutionId &&
          sentAt <= askedAt.getTime(),
      );
    if (asks !== undefined)
      this.#world.found ??= new Error(
        `${idOf({ runId, stepExecutionId })} of ${runId} is asked for again, and waits since ${new Date(asks.sentAt).toISOString()}`,
      );
  }

  readonly #readUntil: ReadUntil = (topic, key) =>
    this.#world.broker.unread(topic, key)[0]?.sentAt ?? Number.POSITIVE_INFINITY;
}

function nextTimeOf({ dueAt, deadlineAt, heartbeatDueAt }: Attempt): number {
  return Math.min(...[dueAt, deadlineAt, heartbeatDueAt].map((time) => time ?? Number.POSITIVE_INFINITY));
}

function dateOf(time: number | null): Date | null {
  return time === null ? null : new Date(time);
}

/** The attempt's, or the run's. */
function idOf({ stepExecutionId, runId }: Pick<DueRow, 'runId' | 'stepExecutionId'>): string {
  return stepExecutionId ?? runId;
}
