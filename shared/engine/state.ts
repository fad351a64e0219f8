import type { Json } from './json.ts';

export type RunStatus = 'PENDING' | 'RUNNING' | 'COMPLETED' | 'FAILED' | 'CANCELLED';
export type AttemptStatus = 'PENDING' | 'RUNNING' | 'COMPLETED' | 'FAILED' | 'CANCELLED';

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
  /** When the timekeeper looks at the run itself; null where its attempts have the times (I7). */
  readonly wakeAt: number | null;
}

/** One attempt of one visit of a step: a row. Times are epoch milliseconds. */
export interface Attempt {
  readonly stepExecutionId: string;
  readonly stepId: string;
  readonly scope: string;
  /** Counts the times that a loop came by. */
  readonly visit: number;
  readonly attempt: number;
  /** Like `attempt`, but counted from the last explicit retry: what retry policies count. */
  readonly policyAttempt: number;
  readonly status: AttemptStatus;
  readonly inputData: Json;
  readonly outputData: Json;
  readonly error: Failure | null;
  readonly logs: readonly string[] | null;
  readonly createdAt: number;
  readonly startedAt: number | null;
  readonly completedAt: number | null;
  readonly timeoutMs: number | null;
  /** When a PENDING attempt's time comes; null where its step request starts it at once. */
  readonly dueAt: number | null;
  /** When a RUNNING attempt has had its time. */
  readonly deadlineAt: number | null;
  /** When the agent said that it will call back. */
  readonly acceptedAt: number | null;
  /** When a task that nobody carried out was published once more. */
  readonly republishedAt: number | null;
  readonly wakeAt: number | null;
}

/** What one event about one run needs: the attempts it is about and the data that the next step reads, never the whole run. */
export interface State {
  readonly run: Run;
  readonly attempts: ReadonlyMap<string, Attempt>;
  readonly workflowInput: Json;
  readonly variables: Json;
  readonly outputs: ReadonlyMap<string, Json>;
}

export function isOpenRun(run: Run): boolean {
  return run.status === 'PENDING' || run.status === 'RUNNING';
}

export function isOpenAttempt(attempt: Attempt): boolean {
  return attempt.status === 'PENDING' || attempt.status === 'RUNNING';
}
