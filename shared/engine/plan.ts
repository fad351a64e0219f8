import type { Json } from './json.ts';

/**
 * A validated, immutable workflow version, compiled once (design §2). It knows nothing of the syntax it was written in: each
 * definition language has a front end that compiles to it.
 */
export interface Plan {
  readonly startStep: string;
  readonly steps: ReadonlyMap<string, PlanStep>;
  readonly settings: PlanSettings;
}

/** The deployment's numbers that decisions need. */
export interface PlanSettings {
  readonly defaultTimeoutMs: number;
  /** How far past its timeout a task's deadline lies: time in a queue does not fail a run (design §3). */
  readonly longStopMs: number;
  /** How long a requested step or a published request may go unseen before the timekeeper looks. */
  readonly pickUpMs: number;
  /** JSON text of a step's input, in UTF-8 bytes. */
  readonly maxPayloadBytes: number;
}

export interface PlanStep {
  readonly id: string;
  readonly name: string;
  /** The label in logs and `step_executions.step_type`. */
  readonly label: string;
  readonly agentName: string;
  /** The step after this one, or null at the end of the workflow. */
  readonly next: string | null;
  readonly input: Expression;
  /** First match by code wins; none means the error is final. */
  readonly retry: readonly RetryPolicy[];
  /** How long the agent may take from the moment it is called; null leaves it to the agent's own or the deployment's default. */
  readonly timeoutMs: number | null;
}

/** An input mapping, compiled, with what it reads: known beforehand, so that only that is loaded. */
export interface Expression {
  readonly reads: Reads;
  /** Null where a singular path selects nothing, an array where a path may select several. */
  evaluate(scope: Scope): Json;
}

export interface Reads {
  readonly workflowInput: boolean;
  readonly variables: boolean;
  /** Steps whose output is named. */
  readonly steps: readonly string[];
}

/** What expressions see. */
export interface Scope {
  readonly workflowInput: Json;
  readonly variables: Json;
  /** Outputs by step id; a step that has not completed is absent. */
  readonly outputs: ReadonlyMap<string, Json>;
}

/** Intervals grow from `initialIntervalMs` by `backoffRate` to `maxIntervalMs`; full jitter draws evenly between 0 and that. */
export interface RetryPolicy {
  /** The first call counts. */
  readonly maxAttempts: number;
  readonly initialIntervalMs: number;
  readonly backoffRate: number;
  readonly maxIntervalMs: number;
  readonly jitter: 'full' | 'none';
  /** The error codes it is for; null means every one. */
  readonly codes: readonly string[] | null;
}
