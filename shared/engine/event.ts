import type { Json } from './json.ts';
import type { Pauser } from './state.ts';

/** What happened to one run, as `decide` takes it. Times are epoch milliseconds. */
export type EngineEvent =
  | { readonly type: 'execution_requested' }
  /** The run came without a plan, and the one that its request carries is not valid. */
  | { readonly type: 'plan_refused'; readonly message: string }
  | {
      readonly type: 'cancellation_requested';
      readonly by: string | null;
      readonly reason: string | null;
      /** True where it came as a record, so that everybody knows already. */
      readonly announced?: boolean;
      /** When it was asked for, where the record says so: what was asked before a retry does not end what the retry began. */
      readonly requestedAt?: number;
    }
  | { readonly type: 'step_requested'; readonly stepExecutionId: string }
  | AgentAnswered
  /** The timekeeper's clock has come to `at`; without a step it is the run's own time. */
  | { readonly type: 'woken'; readonly stepExecutionId: string | null; readonly at: number }
  | SignalReceived
  /** Of the run itself, where it does not say. */
  | { readonly type: 'pause_requested'; readonly by?: Pauser }
  | { readonly type: 'resume_requested'; readonly by?: Pauser }
  | RetryRequested
  | GivenUp
  | AnswerRequested;

export interface AgentAnswered {
  readonly type: 'agent_answered';
  readonly stepExecutionId: string;
  /** Null from a callback, whose token names the attempt already. */
  readonly attempt: number | null;
  readonly outcome: AgentOutcome;
  readonly logs: readonly string[] | null;
}

export type AgentOutcome =
  | { readonly status: 'completed'; readonly output: Json }
  | { readonly status: 'failed'; readonly error: AgentFailure };

export interface AgentFailure {
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
  /** The next attempt begins no earlier than so long from now. */
  readonly retryAfterMs?: number | undefined;
}

export interface SignalReceived {
  readonly type: 'signal_received';
  readonly name: string;
  /** The same id counts once in a run. */
  readonly signalId: string;
  readonly payload: Json;
}

/** The parent run waits still: what this run came to may have been lost on its way. */
export interface AnswerRequested {
  readonly type: 'answer_requested';
  /** The attempt of the parent run that waits. */
  readonly parentStepExecutionId: string;
}

/**
 * What another event led to could not be kept, or not be decided at all: what it was about fails with this instead of waiting for
 * ever.
 */
export interface GivenUp {
  readonly type: 'given_up';
  readonly code: string;
  readonly message: string;
  /** The attempt that fails, where that suffices; null: the run does. */
  readonly stepExecutionId: string | null;
  /** The parent's attempt that asked a closed run to go on: it is told that the run cannot. */
  readonly parentStepExecutionId?: string | null;
}

/** Somebody asks for a closed run to go on. */
export interface RetryRequested {
  readonly type: 'retry_requested';
  /** A step that completed or failed; null: where it ended. */
  readonly fromStep?: string | null;
  /** Which branch or item of that step; null: the latest that it ran in. */
  readonly fromScope?: string | null;
  /** It goes on with another version, whose steps may come in another order. */
  readonly changesVersion?: boolean;
  /** Instead of what the step's mapping makes; undefined: the mapping's. */
  readonly inputData?: Json | undefined;
  /** The attempt of the parent run that waits now. */
  readonly parentStepExecutionId?: string | null;
  /** The one that waited before it, where the record says so: a late record of an earlier retry names another. */
  readonly previousParentStepExecutionId?: string | null;
  /** When the parent asked, where the record says so: what it asks for after that comes after, however late this is read. */
  readonly requestedAt?: number;
}
