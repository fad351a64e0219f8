import { planDefaults } from '../../shared/config/plan-defaults.ts';
import type { JsonObject } from '../../shared/engine/json.ts';
import { type Attempt, isOpenRun, type Run } from '../../shared/engine/state.ts';
import type { MemoryStore } from '../support/memory-store.ts';
import type { AttemptRow, RunRow, Table, Written } from '../support/memory-tables.ts';

/** Clocks are no further apart. */
export const CLOCKS_MS = 10_000;

export interface Change<Row> {
  readonly before: Row | undefined;
  readonly after: Row;
}

/** A transaction as it was committed: what it wrote, and the messages that it is to publish. */
export interface Commit {
  readonly runs: readonly Change<RunRow>[];
  readonly attempts: readonly Change<AttemptRow>[];
  /** Ids of all attempts that it wrote, those whose times alone are new too. */
  readonly touched: ReadonlySet<string>;
  /** Of each run that it wrote any row of. */
  readonly runIds: ReadonlySet<string>;
  readonly messages: readonly JsonObject[];
  /** Runs that were closed before it, and were opened by it again. */
  readonly reopened: ReadonlySet<string>;
}

export function commitOf(store: MemoryStore, written: Written): Commit {
  const runs = changesOf(store.runs, written.runs).filter(
    ({ before, after }) => !isPushedOn(before?.run, after.run),
  );
  const attempts = changesOf(store.attempts, written.attempts).filter(
    ({ before, after }) => !isPushedOn(before?.attempt, after.attempt),
  );
  const messages = changesOf(store.outbox, written.outbox).flatMap(({ after }) =>
    after.entry.messages.map(({ value }) => value),
  );
  const others = [
    ...changesOf(store.joins, written.joins),
    ...changesOf(store.children, written.children),
    ...changesOf(store.data, written.data),
    ...changesOf(store.signals, written.signals),
  ].map(({ after }) => after.runId);
  const closedBefore = runs.filter(({ before }) => before && !isOpenRun(before.run));
  const reopened = closedBefore
    .map(({ after }) => after.run.runId)
    .filter((id) =>
      transitionsOf(messages, id).some(({ status }) => status === 'RUNNING' || status === 'PAUSED'),
    );
  const runIds = new Set([
    ...runs.map(({ after }) => after.run.runId),
    ...attempts.map(({ after }) => after.runId),
    ...others,
  ]);
  const touched = new Set(written.attempts.keys());
  return { runs, attempts, touched, messages, runIds, reopened: new Set(reopened) };
}

/** Meanwhile, by the timekeeper, which is no decision. */
function isPushedOn(before: Run | Attempt | undefined, after: Run | Attempt): boolean {
  return (
    before !== undefined && JSON.stringify({ ...before, wakeAt: after.wakeAt }) === JSON.stringify(after)
  );
}

function changesOf<Row>(table: Table<Row>, written: ReadonlyMap<string, Row | undefined>): Change<Row>[] {
  return [...written].flatMap(([key, before]) => {
    const after = table.get(key);
    return after === undefined ? [] : [{ before, after }];
  });
}

/** What is told of a run. */
export function transitionsOf(messages: readonly JsonObject[], runId: string): JsonObject[] {
  return messages.flatMap((message) =>
    isAbout(message, 'monitoring_update', { run_id: runId }) ? (message.transitions as JsonObject[]) : [],
  );
}

export function has(messages: readonly JsonObject[], type: string, fields: JsonObject): boolean {
  return messages.some((message) => isAbout(message, type, fields));
}

export function isAbout(message: JsonObject, type: string, fields: JsonObject): boolean {
  return (
    message.message_type === type && Object.entries(fields).every(([name, value]) => message[name] === value)
  );
}

export function hold(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(what);
}

/** I7: the timekeeper looks whether anybody picked it up. */
export function isSoon(wakeAt: number | null, now: number): boolean {
  return wakeAt !== null && wakeAt <= now + planDefaults.pickUpMs + CLOCKS_MS;
}
