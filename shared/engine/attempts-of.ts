import type { EngineEvent } from './event.ts';

/** Attempts that a decision about one event begins with. */
export interface AttemptsAbout {
  readonly id: string | null;
  /** Whether its input may be dispatched again. */
  readonly withInput: boolean;
  /** Every open one. */
  readonly open: boolean;
  /** The first that waits for the signal. */
  readonly waitingFor: string | null;
  /** The last at the top, and of each child that began and did not complete. */
  readonly last: boolean;
  /** The last at the top, and no other. */
  readonly lastAtTop: boolean;
  /** The last of a step: in a scope and those within or, where that is null, in any. */
  readonly step: { readonly scope: string | null; readonly stepId: string } | null;
  /** Of another run: the one that asks. */
  readonly parentId: string | null;
}

const NO_ATTEMPTS: AttemptsAbout = {
  id: null,
  withInput: false,
  open: false,
  waitingFor: null,
  last: false,
  lastAtTop: false,
  step: null,
  parentId: null,
};

/** Its type alone tells them. */
export function attemptsOf(event: EngineEvent): AttemptsAbout {
  switch (event.type) {
    case 'agent_answered':
      // A failure may open another attempt on the same input.
      return { ...NO_ATTEMPTS, id: event.stepExecutionId, withInput: event.outcome.status === 'failed' };
    case 'step_requested':
      return { ...NO_ATTEMPTS, id: event.stepExecutionId, withInput: true };
    case 'woken':
      // A run that has had its time ends as one that is cancelled does.
      return event.stepExecutionId === null
        ? { ...NO_ATTEMPTS, open: true, lastAtTop: true }
        : { ...NO_ATTEMPTS, id: event.stepExecutionId, withInput: true };
    case 'given_up':
      return { ...NO_ATTEMPTS, id: event.stepExecutionId, open: event.stepExecutionId === null };
    case 'signal_received':
      return { ...NO_ATTEMPTS, waitingFor: event.name };
    case 'cancellation_requested':
      return { ...NO_ATTEMPTS, open: true };
    case 'resume_requested':
      // What is open goes on; where nothing is, the run ends as its last step did.
      return { ...NO_ATTEMPTS, open: true, lastAtTop: true };
    case 'answer_requested':
      return { ...NO_ATTEMPTS, lastAtTop: true, parentId: event.parentStepExecutionId };
    case 'retry_requested': {
      const { fromStep = null, fromScope = null, parentStepExecutionId: parentId = null } = event;
      const step = fromStep === null ? null : { scope: fromScope, stepId: fromStep };
      return { ...NO_ATTEMPTS, last: true, step, parentId };
    }
    case 'execution_requested':
    case 'plan_refused':
    case 'pause_requested':
      return NO_ATTEMPTS;
  }
}
