import { fireDueTimes } from '../../functions/timekeeper/fire-due-times.ts';
import { WAKE_LEASE } from '../../functions/timekeeper/lease.ts';
import { type Attempt, isOpenAttempt, isOpenRun } from '../../shared/engine/state.ts';
import type { ReadUntil } from '../../shared/kafka/read-progress.ts';
import type { Claimed, ClaimOptions, DueRow, DueTimes } from '../../shared/persistence/due-times.ts';
import type { MemoryStore } from '../support/memory-store.ts';
import type { BrokerModel, Message } from './broker-model.ts';
import { leasedOf } from './lease-model.ts';
import { LeftBehindModel, type LeftBehindWorld } from './left-behind-model.ts';
import { topics } from './topics.ts';

export interface TimekeepersWorld extends LeftBehindWorld {
  readonly store: MemoryStore;
  readonly broker: BrokerModel;
  readonly now: number;
  found: Error | null;
  chance(probability: number): boolean;
  count(what: string): void;
}

interface Lease {
  readonly leasedUntil: number;
  readonly leaseMs: number;
}

/** functions/timekeeper over a model of its tables: it pushes the times of rows on, and waits for no run's lock. */
export class TimekeeperModel {
  readonly #world: TimekeepersWorld;
  /** By run or attempt. */
  readonly #leases = new Map<string, Lease>();

  readonly #leftBehind: LeftBehindModel;

  constructor(world: TimekeepersWorld) {
    this.#world = world;
    this.#leftBehind = new LeftBehindModel(world);
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
        readProgress: async () => readUntil,
        clock: () => 0,
      });
      return fired > 0;
    } catch {
      return true;
    }
  }

  /** @returns whether anything was left behind */
  publishLeftBehind(): Promise<boolean> {
    return this.#leftBehind.publish();
  }

  /** As persistence/due-times.ts. */
  #claim({ lease, pickUpMs }: ClaimOptions): Claimed {
    const { store, now } = this.#world;
    const isDue = (wakeAt: number | null) => wakeAt !== null && wakeAt <= now;
    const leased = (id: string, wakeAt: number | null, asked: number | null) => {
      const row = { wakeAt, leasedUntil: null, leaseMs: null, ...this.#leases.get(id) };
      const { askedAt, leaseMs } = leasedOf(row, lease, asked);
      this.#leases.set(id, { leasedUntil: now + leaseMs, leaseMs });
      return { askedAt: dateOf(askedAt), leaseMs };
    };
    const due: DueRow[] = [];
    for (const [id, row] of store.attempts) {
      const { attempt, runId } = row;
      if (!isOpenAttempt(attempt) || !isDue(attempt.wakeAt)) continue;
      const isPickUp = (attempt.wakeAt as number) < nextTimeOf(attempt);
      const { askedAt, leaseMs } = leased(id, attempt.wakeAt, isPickUp ? pickUpMs : null);
      store.attempts.set(id, { ...row, attempt: { ...attempt, wakeAt: now + leaseMs } });
      due.push(this.#dueRow({ runId, stepExecutionId: id, askedAt, requestedAt: null }, leaseMs));
    }
    for (const [runId, row] of store.runs) {
      const { run } = row;
      if (!isOpenRun(run) || !isDue(run.wakeAt)) continue;
      const requestedAt = run.status === 'PENDING' ? dateOf((run.wakeAt as number) - pickUpMs) : null;
      const { askedAt, leaseMs } = leased(runId, run.wakeAt, null);
      store.runs.set(runId, { ...row, run: { ...run, wakeAt: now + leaseMs } });
      due.push(this.#dueRow({ runId, stepExecutionId: null, askedAt, requestedAt }, leaseMs));
    }
    return { due, taken: due.length };
  }

  #dueRow(row: Pick<DueRow, 'runId' | 'stepExecutionId' | 'askedAt' | 'requestedAt'>, ms: number): DueRow {
    const { now } = this.#world;
    const table = row.stepExecutionId === null ? 'workflow_runs' : 'step_executions';
    const lease = { table, id: row.stepExecutionId ?? row.runId, until: `${now + ms}`, ms } as const;
    return { ...row, firedAt: new Date(now), lease };
  }

  #giveBack(due: readonly DueRow[]): void {
    const { store } = this.#world;
    for (const { lease } of due) {
      const wakeAt = Number(lease.until) - 0.75 * lease.ms;
      const attempt = store.attempts.get(lease.id);
      const run = store.runs.get(lease.id);
      if (attempt && `${attempt.attempt.wakeAt}` === lease.until)
        store.attempts.set(lease.id, { ...attempt, attempt: { ...attempt.attempt, wakeAt } });
      else if (run && `${run.run.wakeAt}` === lease.until)
        store.runs.set(lease.id, { ...run, run: { ...run.run, wakeAt } });
      else continue;
      this.#leases.set(lease.id, { leasedUntil: wakeAt, leaseMs: lease.ms });
    }
  }

  /** By a timekeeper that may die between its claim and this. @param claimed what it knows to be read, or not */
  #publish(messages: readonly Message[], claimed: readonly DueRow[]): void {
    if (this.#world.chance(0.05)) return;
    for (const { value } of messages) {
      const id = value.step_execution_id ?? value.run_id;
      const row = claimed.find(({ lease }) => lease.id === id);
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
        `${lease.id} of ${runId} is asked for again, and waits since ${new Date(asks.sentAt).toISOString()}`,
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
