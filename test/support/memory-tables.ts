import type { AttemptOpened, LockedRun, OutboxEntry } from '../../shared/application/ports.ts';
import type { WorkflowDefinition } from '../../shared/definition/workflow-definition.ts';
import type { Json, JsonObject } from '../../shared/engine/json.ts';
import { joinOf } from '../../shared/engine/scope-path.ts';
import type { Attempt, Child, Join, Run, Signal, StartableWorkflow } from '../../shared/engine/state.ts';

export interface RunRow extends LockedRun {
  readonly inputData: Json;
  readonly variables: Json;
}

export interface AttemptRow extends Omit<AttemptOpened, 'attempt'> {
  readonly attempt: Attempt;
}

export interface OutboxRow {
  readonly entry: OutboxEntry;
  readonly createdAt: number;
}

/** The engine's tables. Those without an id of their own have the run's id and a second key, together (`keyOf`). */
export interface MemoryTables {
  readonly runs: Map<string, RunRow>;
  readonly attempts: Map<string, AttemptRow>;
  /** By path. */
  readonly joins: Map<string, { readonly runId: string; readonly join: Join }>;
  /** By scope. */
  readonly children: Map<string, { readonly runId: string; readonly child: Child }>;
  /** By scope. */
  readonly data: Map<string, { readonly variables: Json; readonly error: JsonObject | null }>;
  /** By id. */
  readonly signals: Map<string, { readonly runId: string; readonly signal: Signal }>;
  readonly outbox: Map<string, OutboxRow>;
  readonly versions: Map<string, { readonly definition: WorkflowDefinition; readonly version: number }>;
  /** By owner, oldest version first. */
  readonly workflows: Map<string, readonly StartableWorkflow[]>;
}

export function emptyTables(): MemoryTables {
  return {
    runs: new Map(),
    attempts: new Map(),
    joins: new Map(),
    children: new Map(),
    data: new Map(),
    signals: new Map(),
    outbox: new Map(),
    versions: new Map(),
    workflows: new Map(),
  };
}

export function copyOf(tables: MemoryTables): MemoryTables {
  const copies = Object.entries(tables).map(([name, table]) => [name, new Map(table)]);
  return Object.fromEntries(copies) as MemoryTables;
}

export const PENDING_RUN: Run = {
  runId: '',
  status: 'PENDING',
  sequence: 0,
  startedAt: null,
  completedAt: null,
  outputData: null,
  error: null,
  cancellation: null,
  retriedAt: null,
  pausedAt: null,
  heldBy: null,
  isWorkflowPaused: false,
  stepsStarted: 0,
  timeoutAt: null,
  revisits: false,
  parent: null,
  depth: 0,
  wakeAt: null,
};

export function keyOf(runId: string, name: string): string {
  return JSON.stringify([runId, name]);
}

export function attemptsOf({ attempts }: MemoryTables, runId: string): Attempt[] {
  return [...attempts.values()].filter((row) => row.runId === runId).map(({ attempt }) => attempt);
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
