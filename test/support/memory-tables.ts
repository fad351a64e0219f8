import type { OutboxEntry } from '../../shared/application/ports/publishing.ts';
import type { AttemptOpened, LoadedRun } from '../../shared/application/ports/run-store.ts';
import type { WorkflowDefinition } from '../../shared/definition/workflow-definition.ts';
import type { Json, JsonObject } from '../../shared/engine/json.ts';
import { joinOf } from '../../shared/engine/scope-path.ts';
import type { Attempt, Child, Join, ScopeSet, Signal, StartableWorkflow } from '../../shared/engine/state.ts';

export interface RunRow extends LoadedRun {
  /** Of its workflow, whatever the version; absent: another producer's. */
  readonly definitionId?: string;
  readonly inputData: Json;
  readonly variables: Json;
}

export interface AttemptRow extends Omit<AttemptOpened, 'attempt'> {
  readonly attempt: Attempt;
}

export interface OutboxRow {
  readonly entry: OutboxEntry;
  readonly createdAt: number;
  /** As in `Settlement`. */
  readonly published?: string;
  readonly retryAt?: number | null;
  readonly refusedSince?: number | null;
}

/** A table that knows, while a transaction is open, what the rows that it wrote were before. */
export class Table<Row> extends Map<string, Row> {
  #before: Map<string, Row | undefined> | null = null;

  begin(): void {
    this.#before = new Map();
  }

  /** @returns the rows that were written as they were; undefined where there was none. */
  commit(): ReadonlyMap<string, Row | undefined> {
    const before = this.#before ?? new Map<string, Row | undefined>();
    this.#before = null;
    return before;
  }

  rollback(): void {
    for (const [key, row] of this.commit()) {
      if (row === undefined) this.delete(key);
      else this.set(key, row);
    }
  }

  override set(key: string, row: Row): this {
    this.#remember(key);
    return super.set(key, row);
  }

  override delete(key: string): boolean {
    this.#remember(key);
    return super.delete(key);
  }

  #remember(key: string): void {
    if (this.#before?.has(key) === false) this.#before.set(key, this.get(key));
  }
}

/** The engine's tables. Those without an id of their own have the run's id and a second key, together (`keyOf`). */
export interface MemoryTables {
  readonly runs: Table<RunRow>;
  readonly attempts: Table<AttemptRow>;
  /** By path. */
  readonly joins: Table<{ readonly runId: string; readonly join: Join }>;
  /** By scope. */
  readonly children: Table<{ readonly runId: string; readonly child: Child }>;
  /** By scope. */
  readonly data: Table<{
    readonly runId: string;
    readonly variables: Json;
    readonly error: JsonObject | null;
  }>;
  /** By scope: all that was set, in its order. */
  readonly history: Table<{ readonly sets: readonly ScopeSet[] }>;
  /** By id. */
  readonly signals: Table<{ readonly runId: string; readonly signal: Signal }>;
  readonly outbox: Table<OutboxRow>;
  readonly versions: Table<{ readonly definition: WorkflowDefinition; readonly version: number }>;
  /** By owner, oldest version first. */
  readonly workflows: Table<readonly StartableWorkflow[]>;
  /** By workflow: those that are paused. */
  readonly paused: Table<true>;
}

/** What a transaction wrote, by table: the rows as they were before it. */
export type Written = {
  readonly [Name in keyof MemoryTables]: ReturnType<MemoryTables[Name]['commit']>;
};

export function emptyTables(): MemoryTables {
  return {
    runs: new Table(),
    attempts: new Table(),
    joins: new Table(),
    children: new Table(),
    data: new Table(),
    history: new Table(),
    signals: new Table(),
    outbox: new Table(),
    versions: new Table(),
    workflows: new Table(),
    paused: new Table(),
  };
}

export function begin(tables: MemoryTables): void {
  for (const table of Object.values(tables)) table.begin();
}

export function rollback(tables: MemoryTables): void {
  for (const table of Object.values(tables)) table.rollback();
}

export function commit({ runs, attempts, joins, children, ...others }: MemoryTables): Written {
  const { data, history, signals, outbox, versions, workflows, paused } = others;
  return {
    runs: runs.commit(),
    attempts: attempts.commit(),
    joins: joins.commit(),
    children: children.commit(),
    data: data.commit(),
    history: history.commit(),
    signals: signals.commit(),
    outbox: outbox.commit(),
    versions: versions.commit(),
    workflows: workflows.commit(),
    paused: paused.commit(),
  };
}

export function keyOf(runId: string, name: string): string {
  return JSON.stringify([runId, name]);
}

export function attemptsOf({ attempts }: MemoryTables, runId: string): Attempt[] {
  return [...attempts.values()].filter((row) => row.runId === runId).map(({ attempt }) => attempt);
}

/** Whether its workflow is paused. */
export function isPausedAsWorkflow({ paused, runs }: MemoryTables, runId: string): boolean {
  return paused.has(runs.get(runId)?.definitionId ?? '');
}

/** Children that began and did not complete. */
export function unfinishedOf({ children, joins }: MemoryTables, runId: string): Child[] {
  return [...children.values()].flatMap(({ runId: ofRun, child }) => {
    const join = joins.get(keyOf(runId, joinOf(child.scope) ?? ''))?.join;
    const isUnfinished = join && child.index < join.started && child.status !== 'COMPLETED';
    return ofRun === runId && isUnfinished ? [child] : [];
  });
}

/** What comes back from a column is what JSON keeps. */
export function stored<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}

export function failure(code: string): Error {
  return Object.assign(new Error(`The store says ${code}`), { code });
}

export function grouped<Item>(pairs: readonly (readonly [string, Item])[]): Map<string, Item[]> {
  const groups = new Map<string, Item[]>();
  for (const [key, item] of pairs) groups.set(key, [...(groups.get(key) ?? []), item]);
  return groups;
}
