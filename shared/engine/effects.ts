import type { Json } from './json.ts';
import type { AttemptStatus, Failure, RunStatus, StartableWorkflow, State } from './state.ts';

export type Decision =
  | { readonly ok: true; readonly state: State; readonly effects: readonly Effect[] }
  | { readonly ok: false; readonly code: RefusalCode };

/** Why an event changes nothing. All are normal: delivery is at least once, and late. */
export type RefusalCode =
  /** The run is terminal (I4). */
  | 'RUN_CLOSED'
  /** Only a closed run can be retried. */
  | 'RUN_OPEN'
  /** A completed run has nothing to retry, unless a step to go back to is named. */
  | 'RUN_COMPLETED'
  /** The parent's attempt that the retry was asked for is closed: the parent was cancelled, or its time was up, meanwhile. */
  | 'PARENT_NOT_WAITING'
  /** The run has begun already: a repeat of its execution request. */
  | 'ALREADY_STARTED'
  /** No such attempt of this run. */
  | 'UNKNOWN_ATTEMPT'
  /** The attempt is settled (I2). */
  | 'ATTEMPT_CLOSED'
  /** The attempt was never asked of an agent: its time has not come. */
  | 'ATTEMPT_NOT_STARTED'
  /** The attempt has begun already: a repeat of its request. */
  | 'ATTEMPT_STARTED'
  /** The cancellation was asked for before the run was retried: a late or repeated record. */
  | 'CANCELLATION_OUTDATED'
  /** Nothing of this run is due yet: a repeat of an earlier wake. */
  | 'NOT_DUE'
  /** No step starts and no timer counts before the run is resumed. */
  | 'RUN_PAUSED'
  | 'RUN_NOT_PAUSED'
  /** A signal with this id came before. */
  | 'SIGNAL_REPEATED'
  /** The run never came to the step that it is to go back to, or has no such step. */
  | 'STEP_NOT_REACHED'
  /** The retry brings an input for a step that takes none: only what starts an agent or a workflow does. */
  | 'INPUT_NOT_TAKEN';

/** What to carry out once the decision is committed (I5). */
export type Effect =
  | {
      readonly type: 'dispatch_task';
      readonly stepExecutionId: string;
      readonly stepId: string;
      readonly agentName: string;
      readonly attempt: number;
      readonly inputData: Json;
      readonly idempotencyKey: string;
      /** What the step allows its agent; null: the step does not say. */
      readonly timeoutMs: number | null;
      readonly deadlineAt: number;
      /** As in `Plan`. */
      readonly stepsPerInvocation?: number;
    }
  | { readonly type: 'request_step'; readonly stepExecutionId: string }
  | { readonly type: 'announce_cancellation'; readonly by: string | null; readonly reason: string | null }
  | StartChild
  | {
      readonly type: 'cancel_child';
      readonly childRunId: string;
      readonly reason: string;
      /** Later than what the attempt that it waited in asked of it, whatever the clocks of the environments. */
      readonly requestedAt: number;
    }
  /** A child that failed is to go on, for the attempt that waits for it now. */
  | {
      readonly type: 'retry_child';
      readonly childRunId: string;
      readonly stepExecutionId: string;
      /** The attempt that waited for it until then; null where that is not known. */
      readonly previousStepExecutionId: string | null;
    }
  /** Whether a child has ended, in case its answer was lost: one that has, answers again. */
  | { readonly type: 'ask_child'; readonly childRunId: string; readonly stepExecutionId: string }
  /** What this run came to is the answer that the parent's attempt waits for. */
  | {
      readonly type: 'answer_parent';
      readonly runId: string;
      readonly stepExecutionId: string;
      readonly outcome: RunOutcome;
    }
  | {
      readonly type: 'publish_update';
      readonly sequence: number;
      readonly status: RunStatus | 'PAUSED';
      readonly stepId: string | null;
      readonly scope: string;
      readonly stepStatus: AttemptStatus | null;
      readonly attempt: number | null;
      readonly errorMessage: string | null;
    };

/** What a run tells its parent; `retryable`: another run might come to something else. */
export type RunOutcome =
  | { readonly output: Json }
  | { readonly error: Failure & { readonly retryable: boolean } };

/** A run row, PENDING, with its execution request: written with the decision. */
export interface StartChild {
  readonly type: 'start_child';
  readonly childRunId: string;
  readonly workflow: StartableWorkflow;
  readonly inputData: Json;
  readonly depth: number;
  /** Null: nobody waits for it. */
  readonly parentStepExecutionId: string | null;
}
