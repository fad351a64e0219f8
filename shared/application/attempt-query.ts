import type { BatchItem } from './batch.ts';
import type { AttemptQuery } from './ports.ts';

export const NO_ATTEMPTS: AttemptQuery = {
  ids: [],
  withInput: [],
  openOf: [],
  openWithin: [],
  containers: [],
  waiting: [],
  lastOf: [],
  lastAtTopOf: [],
  steps: [],
};

/** Which attempts a batch's events are about: their types alone tell. */
export function attemptQueryFor(items: readonly BatchItem[]): AttemptQuery {
  const ids = new Set<string>();
  const withInput = new Set<string>();
  const openOf = new Set<string>();
  const lastOf = new Set<string>();
  const lastAtTopOf = new Set<string>();
  const waiting = new Map<string, { runId: string; name: string; count: number }>();
  const steps = new Map<string, { runId: string; scope: string | null; stepId: string }>();
  for (const { runId, event } of items) {
    switch (event.type) {
      case 'agent_answered':
        ids.add(event.stepExecutionId);
        // A failure may open another attempt on the same input.
        if (event.outcome.status === 'failed') withInput.add(event.stepExecutionId);
        break;
      case 'step_requested':
        ids.add(event.stepExecutionId);
        withInput.add(event.stepExecutionId);
        break;
      case 'woken':
        // A run that has had its time ends as one that is cancelled does.
        if (event.stepExecutionId === null) {
          openOf.add(runId);
          lastAtTopOf.add(runId);
        } else {
          ids.add(event.stepExecutionId);
          withInput.add(event.stepExecutionId);
        }
        break;
      case 'signal_received': {
        // Several signals of one name are for as many who wait.
        const key = JSON.stringify([runId, event.name]);
        const count = (waiting.get(key)?.count ?? 0) + 1;
        waiting.set(key, { runId, name: event.name, count });
        break;
      }
      case 'cancellation_requested':
        openOf.add(runId);
        break;
      case 'resume_requested':
        // What is open goes on; where nothing is, the run ends as the last step did.
        openOf.add(runId);
        lastAtTopOf.add(runId);
        break;
      case 'answer_requested':
        ids.add(event.parentStepExecutionId);
        lastAtTopOf.add(runId);
        break;
      case 'retry_requested': {
        lastOf.add(runId);
        // The parent's, by its key: whether it waits still.
        if (event.parentStepExecutionId) ids.add(event.parentStepExecutionId);
        const { fromStep: stepId = null, fromScope: scope = null } = event;
        if (stepId !== null) steps.set(JSON.stringify([runId, scope, stepId]), { runId, scope, stepId });
        break;
      }
    }
  }
  return {
    ...NO_ATTEMPTS,
    ids: [...ids],
    withInput: [...withInput],
    openOf: [...openOf],
    waiting: [...waiting.values()],
    lastOf: [...lastOf],
    lastAtTopOf: [...lastAtTopOf],
    steps: [...steps.values()],
  };
}

export function isEmptyQuery(query: AttemptQuery): boolean {
  return Object.values(query).every(({ length }) => length === 0);
}
