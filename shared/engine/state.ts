import type { Json, JsonObject } from './json.ts';
import type { Known } from './readable.ts';

export type RunStatus = 'PENDING' | 'RUNNING' | 'COMPLETED' | 'FAILED' | 'CANCELLED';
export type AttemptStatus = 'PENDING' | 'RUNNING' | 'COMPLETED' | 'FAILED' | 'CANCELLED';

/** Whose pause: of the run itself, or of its whole workflow. */
export type Pauser = 'run' | 'workflow';

export interface Failure {
  readonly code: string;
  readonly message: string;
}

/** A run as `decide` needs it. Times are epoch milliseconds. */
export interface Run {
  readonly runId: string;
  readonly status: RunStatus;
  /** The number of the last monitoring update. */
  readonly sequence: number;
  readonly startedAt: number | null;
  readonly completedAt: number | null;
  readonly outputData: Json;
  readonly error: (Failure & { readonly stepId: string | null; readonly attempt: number | null }) | null;
  readonly cancellation: {
    readonly by: string | null;
    readonly reason: string | null;
    readonly at: number;
  } | null;
  /** When somebody last asked for it to go on after its end. */
  readonly retriedAt: number | null;
  /** A pause stands beside the status: what is under way settles, and no step starts. */
  readonly pausedAt: number | null;
  /** Which pauses those are. Null: there is none, or a version paused it that did not tell; either lets it go then. */
  readonly heldBy: Pauser | 'both' | null;
  /** Known of what is not RUNNING, which begins, or goes on after its end, as its workflow is, and of what is woken itself; else null. */
  readonly isWorkflowPaused: boolean | null;
  /** Steps started so far, those of map items apart. */
  readonly stepsStarted: number;
  /** When its time is up. */
  readonly timeoutAt: number | null;
  /** It went back to an earlier step, or on with another version: each step may have been visited before. */
  readonly revisits: boolean;
  /** The attempt of another run that started it and waits for it. */
  readonly parent: { readonly runId: string; readonly stepExecutionId: string } | null;
  /** How many runs started one another down to this one. */
  readonly depth: number;
  /** When the timekeeper looks at the run itself; null where its attempts have the times (I7). */
  readonly wakeAt: number | null;
}

/** One attempt of one visit of a step: a row. Times are epoch milliseconds. */
export interface Attempt {
  readonly stepExecutionId: string;
  readonly stepId: string;
  /** Where it runs: the top, a branch, an item (scope-path.ts). */
  readonly scope: string;
  /** Counts the times that a loop came by. */
  readonly visit: number;
  readonly attempt: number;
  /** Like `attempt`, but counted from the last explicit retry: what retry policies count. */
  readonly policyAttempt: number;
  /** How many of those after the first each policy of a list granted, in its order; null: the step has no list, or nothing failed yet. */
  readonly policyRetries: readonly number[] | null;
  readonly status: AttemptStatus;
  /** Null until it is made, when the step starts. */
  readonly inputData: Json;
  readonly outputData: Json;
  readonly error: Failure | null;
  readonly logs: readonly string[] | null;
  readonly createdAt: number;
  readonly startedAt: number | null;
  readonly completedAt: number | null;
  readonly timeoutMs: number | null;
  /**
   * When a PENDING attempt's time comes, or a waiting step's, or when a child is asked whether it has ended; null where a step
   * request starts it.
   */
  readonly dueAt: number | null;
  /** When a RUNNING attempt has had its time. */
  readonly deadlineAt: number | null;
  /** When the agent said that it will call back. */
  readonly acceptedAt: number | null;
  /** How long an agent that has accepted may be silent. */
  readonly heartbeatMs: number | null;
  /** When the next sign of life is due. */
  readonly heartbeatDueAt: number | null;
  /** When its task was published for the last time: once more, where nobody carried it out, or where its agent reads it itself. */
  readonly republishedAt: number | null;
  /** The signal it waits for. */
  readonly signalName: string | null;
  /** The run that it started. */
  readonly childRunId: string | null;
  readonly wakeAt: number | null;
}

/** An open parallel or map step: what its children came to, counted. */
export interface Join {
  /** Its path (scope-path.ts). */
  readonly path: string;
  readonly stepId: string;
  /** The container's attempt. */
  readonly stepExecutionId: string;
  readonly total: number;
  /** So many completed children complete it. */
  readonly needed: number;
  /** More failed children than that fail it. */
  readonly tolerated: number;
  /** Children begun: the index of the next. */
  readonly started: number;
  /** Children that began, did not complete, and wait for their turn to go on since a retry; they are a chain of `nextWaiting`. */
  readonly waiting: number;
  /** The index of the first of them. */
  readonly nextWaiting: number | null;
  readonly completed: number;
  readonly failed: number;
  /** JSON text of the children's outputs so far. */
  readonly outputBytes: number;
  /** Its condition is met, or it can no longer be: its container is asked to settle, and no child begins. */
  readonly isOver: boolean;
  /** The child's failure that was one too many. */
  readonly failure: Failure | null;
}

/** A branch or an item of a join. */
export interface Child {
  /** Its scope's path. */
  readonly scope: string;
  readonly index: number;
  readonly status: 'PENDING' | 'RUNNING' | 'COMPLETED' | 'FAILED' | 'CANCELLED';
  /** The index of the child that waits after this one, where it waits. */
  readonly nextWaiting: number | null;
  /** A map's item; null for a branch. */
  readonly input: Json;
  readonly output: Json;
  readonly error: Failure | null;
}

export interface Signal {
  readonly id: string;
  readonly name: string;
  readonly payload: Json;
  readonly receivedAt: number;
  /** The attempt that took it; null: it waits for one. */
  readonly takenBy: string | null;
}

/** A workflow's version that a step may start. */
export interface StartableWorkflow {
  readonly workflowId: string;
  readonly versionId: string;
  readonly name: string;
  readonly version: number;
}

/**
 * What one event about one run needs: the attempts it is about, the joins that it may settle and the data that the next step
 * reads, never the whole run. What was asked for and is absent, is not there (`known`).
 */
export interface State {
  readonly run: Run;
  readonly known: Known;
  readonly attempts: ReadonlyMap<string, Attempt>;
  /** Of the parent run: the one that a retry was asked for. */
  readonly parentAttempt?: Attempt | undefined;
  /** By path. */
  readonly joins: ReadonlyMap<string, Join>;
  /** By scope. */
  readonly children: ReadonlyMap<string, Child>;
  /** By id. */
  readonly signals: ReadonlyMap<string, Signal>;
  readonly workflowInput: Json;
  /** By scope, where a step of that scope has set any; '' has at least what the run began with. */
  readonly variables: ReadonlyMap<string, Json>;
  /** What was caught last, by scope. */
  readonly errors: ReadonlyMap<string, JsonObject>;
  /** By scope, what it had when a step was entered that a retry goes back to. */
  readonly earlier: ReadonlyMap<string, ScopeValues>;
  /** What this batch's decisions set in scopes, in their order. */
  readonly sets: readonly ScopeSet[];
  /** By `stepKey`: the output of its latest completed attempt. */
  readonly outputs: ReadonlyMap<string, Json>;
  /** By `stepKey`: how often it was visited. */
  readonly visits: ReadonlyMap<string, number>;
  /** By `workflowKey`; null: there is none. */
  readonly workflows: ReadonlyMap<string, StartableWorkflow | null>;
  /** Children's outputs in their order, by join: asked for when it is over. */
  readonly gathered: ReadonlyMap<string, readonly GatheredChild[]>;
}

/** Absent: none of its own. */
export interface ScopeValues {
  readonly variables?: Json | undefined;
  readonly error?: JsonObject | undefined;
}

/** What is absent is as it was. */
export interface ScopeSet extends ScopeValues {
  readonly scope: string;
  /** When the attempt was opened that set it: earlier than what is entered after it. Epoch milliseconds. */
  readonly since: number;
  /** That is all of it: a retry goes back to how it was, and what is absent is none. */
  readonly isWhole: boolean;
}

export interface GatheredChild {
  /** Branch name or index. */
  readonly child: string;
  readonly index: number;
  readonly status: Child['status'];
  readonly output: Json;
}

/** A step in a scope. */
export function stepKey(scope: string, stepId: string): string {
  return `${scope}\n${stepId}`;
}

export function workflowKey(name: string, version: number | null): string {
  return `${version ?? 'latest'} ${name}`;
}

export function isOpenRun(run: Run): boolean {
  return run.status === 'PENDING' || run.status === 'RUNNING';
}

export function isOpenAttempt(attempt: Attempt): boolean {
  return attempt.status === 'PENDING' || attempt.status === 'RUNNING';
}

/** Branches may open attempts in the same millisecond: their ids decide, as they do where one of them is loaded. */
export function latest(attempts: readonly Attempt[]): Attempt | undefined {
  return attempts.reduce<Attempt | undefined>(
    (last, attempt) => (last === undefined || isLater(attempt, last) ? attempt : last),
    undefined,
  );
}

function isLater(one: Attempt, other: Attempt): boolean {
  if (one.createdAt !== other.createdAt) return one.createdAt > other.createdAt;
  return one.stepExecutionId > other.stepExecutionId;
}
