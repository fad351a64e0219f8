import type { Json, JsonObject } from './json.ts';

/**
 * A validated, immutable workflow version, compiled once (design §2). It knows nothing of the syntax it was written in: each
 * definition language has a front end that compiles to it.
 */
export interface Plan {
  readonly startStep: string;
  /** Of all scopes: a step's id is its own in the whole workflow. */
  readonly steps: ReadonlyMap<string, PlanStep>;
  /** How long a run may take, from its start; null: as long as it likes. */
  readonly timeoutMs: number | null;
  /** How many steps of a run one invocation may enter one after the other; absent: what the deployment says. */
  readonly stepsPerInvocation?: number;
  readonly settings: PlanSettings;
}

/** The deployment's numbers that decisions need. */
export interface PlanSettings {
  readonly defaultTimeoutMs: number;
  /** How far past its timeout a task's deadline lies: time in a queue does not fail a run (design §3). */
  readonly longStopMs: number;
  /** How long a requested step or a published request may go unseen before the timekeeper looks. */
  readonly pickUpMs: number;
  /** JSON text of a step's input or output, in UTF-8 bytes. */
  readonly maxPayloadBytes: number;
  /** Steps that one run may start, loops included; those of map items count apart, each item for itself. */
  readonly maxStepsPerRun: number;
  /** How deep workflows may start workflows. */
  readonly maxRunDepth: number;
  readonly maxMapItems: number;
}

export type PlanStep =
  | AgentStep
  | ChoiceStep
  | ParallelStep
  | MapStep
  | WaitStep
  | SignalStep
  | ChildWorkflowStep
  | PassStep
  | SucceedStep
  | FailStep;

export interface StepBase {
  readonly id: string;
  readonly name: string;
  /** The label in logs and `step_executions.step_type`. */
  readonly label: string;
  /** The parallel or map step that it stands in; null at the top. */
  readonly within: string | null;
  /** How many parallel and map steps it stands in. */
  readonly depth: number;
  /** The step after this one, or null at the end of its scope. */
  readonly next: string | null;
  /** It may be entered more than once: its visits must be counted. */
  readonly inCycle: boolean;
  /** What entering it reads. */
  readonly reads: Reads;
  /** What settling it reads: of `output` and `assign`. */
  readonly settleReads: Reads;
  /** Reshapes what it came to (`$.output`); null: as it is. */
  readonly output: Expression | null;
  /** Variables by name that are set when it completes; null: none. */
  readonly assign: Expression | null;
  /** First match by code wins; none means the error is final. */
  readonly retry: readonly RetryPolicy[];
  /** First match by code wins; none means the error is the scope's. */
  readonly catch: readonly CatchClause[];
  readonly timeoutMs: number | null;
}

export interface AgentStep extends StepBase {
  readonly type: 'agent';
  readonly agentName: string;
  readonly input: Expression;
  /** How long an agent that has accepted may be silent; null: until its timeout. */
  readonly heartbeatMs: number | null;
}

export interface ChoiceStep extends StepBase {
  readonly type: 'choice';
  /** The rules in their order; null stands for the default. */
  readonly rules: readonly ChoiceRule[];
  readonly otherwise: string | null;
}

export interface ChoiceRule {
  readonly next: string;
  holds(scope: Scope): boolean;
}

export interface ParallelStep extends StepBase {
  readonly type: 'parallel';
  readonly branches: readonly { readonly name: string; readonly startStep: string }[];
  /** How many branches must complete. */
  readonly needed: number;
}

export interface MapStep extends StepBase {
  readonly type: 'map';
  readonly items: Expression;
  readonly startStep: string;
  /** Items under way at once; null: as many as the engine has by default. */
  readonly maxConcurrency: number | null;
  readonly toleratedFailures: number;
  /** Of the items, in percent; the larger of the two counts. */
  readonly toleratedFailurePercentage: number;
}

export interface WaitStep extends StepBase {
  readonly type: 'wait';
  /** Seconds from now, or an RFC 3339 timestamp, as `of` says. */
  readonly value: Expression;
  readonly of: 'seconds' | 'until';
  readonly maxMs: number;
}

export interface SignalStep extends StepBase {
  readonly type: 'signal';
  readonly signal: string;
}

export interface ChildWorkflowStep extends StepBase {
  readonly type: 'workflow';
  readonly workflow: WorkflowReference;
  readonly input: Expression;
  /** False: it is started and left alone. */
  readonly waits: boolean;
}

export interface WorkflowReference {
  readonly name: string;
  /** Null: the latest when it starts. */
  readonly version: number | null;
}

export interface PassStep extends StepBase {
  readonly type: 'pass';
  readonly result: Expression;
}

export interface SucceedStep extends StepBase {
  readonly type: 'succeed';
  readonly result: Expression;
}

export interface FailStep extends StepBase {
  readonly type: 'fail';
  /** {code, message}; what is not text in it is written as JSON. */
  readonly failure: Expression;
}

/** An input mapping, compiled, with what it reads: known beforehand, so that only that is loaded. */
export interface Expression {
  readonly reads: Reads;
  /** Null where a singular path selects nothing, an array where a path may select several. @throws nothing */
  evaluate(scope: Scope): Json;
}

export interface Reads {
  readonly workflowInput: boolean;
  readonly variables: boolean;
  /** The item, its index, of the innermost map. */
  readonly item: boolean;
  /** The error that was caught last. */
  readonly error: boolean;
  /** Steps whose output is named. */
  readonly steps: readonly string[];
}

/** What expressions see. */
export interface Scope {
  readonly workflowInput: Json;
  readonly variables: Json;
  /** Outputs by step id; a step that has not completed is absent. */
  readonly outputs: Pick<ReadonlyMap<string, Json>, 'get'>;
  /** Inside a map. */
  readonly item?: Json | undefined;
  readonly index?: number | undefined;
  /** {code, message, step, attempt} of the error that was caught last. */
  readonly error?: JsonObject | undefined;
  /** What the step came to, for its `output_mapping` and `assign`. */
  readonly output?: Json | undefined;
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

export interface CatchClause {
  /** The error codes it is for; null means every one. */
  readonly codes: readonly string[] | null;
  readonly next: string;
}

/** For a run that has none: it ends, and does nothing else. */
export const EMPTY_PLAN: Plan = {
  startStep: '',
  steps: new Map(),
  timeoutMs: null,
  settings: {
    defaultTimeoutMs: 0,
    longStopMs: 0,
    pickUpMs: 0,
    maxPayloadBytes: 0,
    maxStepsPerRun: 0,
    maxRunDepth: 0,
    maxMapItems: 0,
  },
};
