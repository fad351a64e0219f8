import type { WorkflowDefinition } from '../../definition/workflow-definition.ts';
import type { StartChild } from '../../engine/effects.ts';
import type { Json } from '../../engine/json.ts';
import type { Needs } from '../../engine/needs.ts';
import type { Attempt, Child, Join, Run, ScopeSet, Signal, State } from '../../engine/state.ts';
import type { AuditRecord } from '../audit.ts';
import type { VersionChange } from '../batch.ts';
import type { AgentName, AgentRoute } from './agents.ts';
import type { OutboxEntry } from './publishing.ts';

/** A run with what stands beside the engine's view of it. */
export interface LoadedRun {
  readonly run: Run;
  readonly versionId: string | null;
  readonly owner: string | null;
  /** `wf-<name>-<version>`. */
  readonly workflowId: string;
  /** Of a run that is PENDING, and where it is small: most runs have a step that reads it. */
  readonly workflowInput?: Json;
}

export interface AttemptQuery {
  /** Attempts by id, of the runs that are read with them. */
  readonly ids: readonly string[];
  /** Attempts by id, of whatever run: those that started a run and wait for it. */
  readonly parents: readonly string[];
  /** Those of them whose input may be dispatched again. */
  readonly withInput: readonly string[];
  /** Runs of which every open attempt is needed. */
  readonly openOf: readonly string[];
  /** Joins of which every open attempt inside is needed, at any depth. */
  readonly openWithin: readonly { readonly runId: string; readonly path: string }[];
  /** Joins of which the container's attempt is needed; of a run all, with their inputs, where the path is null. */
  readonly containers: readonly { readonly runId: string; readonly path: string | null }[];
  /** Signals by name, each with how many of the attempts that wait for it are needed: the first. */
  readonly waiting: readonly { readonly runId: string; readonly name: string; readonly count: number }[];
  /** Runs of which the last attempt at the top is needed, and that of each branch and item that began and did not complete. */
  readonly lastOf: readonly string[];
  /** Scopes of which the last attempt is needed, and that of each branch and item within that began and did not complete. */
  readonly lastWithin: readonly { readonly runId: string; readonly scope: string }[];
  /** Runs of which the last attempt at the top is needed, and no other. */
  readonly lastAtTopOf: readonly string[];
  /** Steps of which the last attempt is needed: in a scope and those within, or, where that is null, in any. */
  readonly steps: readonly {
    readonly runId: string;
    readonly scope: string | null;
    readonly stepId: string;
  }[];
}

export interface JoinQuery {
  /** Joins by path. */
  readonly paths: readonly { readonly runId: string; readonly path: string }[];
  /** Runs of which every join is needed. */
  readonly allOf: readonly string[];
  /** Scopes of which every join inside is needed, at any depth. */
  readonly within: readonly { readonly runId: string; readonly scope: string }[];
}

/** What decisions read of one run. What is named twice is needed by two: of signals by name, so many. */
export interface RunNeeds {
  readonly runId: string;
  readonly owner: string | null;
  readonly needs: Needs;
}

/** What was found of it; see `State`. */
export type RunData = Pick<
  State,
  | 'workflowInput'
  | 'variables'
  | 'errors'
  | 'earlier'
  | 'outputs'
  | 'visits'
  | 'children'
  | 'gathered'
  | 'signals'
  | 'workflows'
>;

export interface RunChange {
  readonly run: Run;
  /** The sequence that it was decided about with. */
  readonly was: number;
  readonly statusWas: Run['status'];
  /** Whether its workflow was paused, where that was told. */
  readonly workflowWasPaused: boolean | null;
  readonly versionId: string | null;
  /** Where a retry goes on with another version. */
  readonly version?: VersionChange | undefined;
}

/** A run that went a step further: nothing but its numbers are new. */
export interface RunAdvance {
  readonly runId: string;
  /** The sequence that it was decided about with. */
  readonly was: number;
  readonly sequence: number;
  readonly stepsStarted: number;
}

export interface AttemptOpened {
  readonly runId: string;
  readonly stepName: string;
  readonly agentName: string;
  readonly stepType: string;
  readonly attempt: Attempt;
}

export interface AttemptChange extends Attempt {
  readonly runId: string;
  /** The times that it was decided by, where it was: signs of life and agents' clocks move them, and raise no sequence. */
  readonly timesWere?: Pick<Attempt, 'deadlineAt' | 'heartbeatDueAt'> | undefined;
}

export interface JoinChange {
  readonly runId: string;
  readonly join: Join;
  /** As it was loaded; null: it is new. */
  readonly before: Join | null;
}

export interface ChildChange {
  readonly runId: string;
  readonly child: Child;
}

/** What was set in a scope; several in the order in which they were. */
export interface ScopeData extends ScopeSet {
  readonly runId: string;
}

export interface SignalChange {
  readonly runId: string;
  readonly signal: Signal;
}

/** A run that a step starts, PENDING: its owner, community and starter are the parent's. */
export interface RunStarted extends Omit<StartChild, 'type'> {
  readonly parentRunId: string;
  readonly createdAt: number;
  /** When the timekeeper looks whether anybody picked it up (I7). */
  readonly wakeAt: number;
}

export interface Changes {
  readonly advanced: readonly RunAdvance[];
  readonly changed: readonly RunChange[];
  readonly opened: readonly AttemptOpened[];
  /** Open attempts that began, were published once more, or got another time. */
  readonly continued: readonly AttemptChange[];
  readonly closed: readonly AttemptChange[];
  readonly joins: readonly JoinChange[];
  readonly children: readonly ChildChange[];
  readonly data: readonly ScopeData[];
  readonly signalsKept: readonly SignalChange[];
  /** Those that came before. */
  readonly signalsTaken: readonly SignalChange[];
  readonly runsStarted: readonly RunStarted[];
  /** The calls that asked for all this. */
  readonly audited: readonly AuditRecord[];
}

export interface LoadedVersion {
  readonly definition: WorkflowDefinition;
  readonly version: number;
}

/** Runs that are to be decided about, and the attempts that their events are about. */
export interface RunQuery {
  readonly runIds: readonly string[];
  /** Those of them that are looked at for themselves: of them it is told whether their workflows are paused. */
  readonly woken: readonly string[];
  readonly attempts: AttemptQuery;
}

/** As they are at one moment. */
export interface RunsRead {
  /** Those that exist. */
  readonly runs: readonly LoadedRun[];
  /** By run. */
  readonly attempts: ReadonlyMap<string, readonly Attempt[]>;
}

/** What decisions read of a batch of runs. Each method is one statement, whatever the batch's size. */
export interface RunReads {
  loadRuns(query: RunQuery): Promise<RunsRead>;
  /** Attempts by run. */
  loadAttempts(query: AttemptQuery): Promise<ReadonlyMap<string, Attempt[]>>;
  /** Joins by run. */
  loadJoins(query: JoinQuery): Promise<ReadonlyMap<string, Join[]>>;
  /** By run. */
  loadData(asked: readonly RunNeeds[]): Promise<ReadonlyMap<string, RunData>>;
  /** By run: the steps that have completed in it, each once. */
  loadCompletedSteps(runIds: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>>;
  loadVersions(versionIds: readonly string[]): Promise<ReadonlyMap<string, LoadedVersion>>;
  /** Stores plans that came inline, each once, and returns their versions' ids in the same order. Two statements. */
  storeInlinePlans(definitions: readonly WorkflowDefinition[]): Promise<string[]>;
}

/** What a batch's decisions are saved by, or none of them. */
export interface RunSaves {
  /**
   * One statement, and a transaction of its own: where each run is as it was loaded, its sequence for one, all is written, and what
   * is to be published is told where its tasks' agents are: the owner's own before everybody's, by `agentKey`.
   * @throws RunsMovedOn by its `code`, with the `runIds` that went on meanwhile; nothing is written then
   * @throws ValueRefused, TransactionConflict, DatabaseUnavailable, StaleDecision by their `code`
   */
  save(
    changes: Changes,
    outbox: OutboxEntry,
    agents: readonly AgentName[],
  ): Promise<ReadonlyMap<string, AgentRoute>>;
}

export interface RunStore extends RunReads, RunSaves {
  /** The same while nobody else writes to these runs: where they went on too often while they were decided about. */
  underLock<T>(runIds: readonly string[], work: (store: RunReads & RunSaves) => Promise<T>): Promise<T>;
}
