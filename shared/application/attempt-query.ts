import type { BatchItem } from './batch.ts';
import type { AttemptQuery } from './ports.ts';

/** Which attempts a batch's events are about. */
export function attemptQueryFor(items: readonly BatchItem[]): AttemptQuery {
  const ids = new Set<string>();
  const withInput = new Set<string>();
  const openOf = new Set<string>();
  const lastOf = new Set<string>();
  for (const { runId, event } of items) {
    switch (event.type) {
      case 'agent_answered':
        ids.add(event.stepExecutionId);
        // A failure may open another attempt on the same input.
        if (event.outcome.status === 'failed') withInput.add(event.stepExecutionId);
        break;
      case 'step_requested':
      case 'woken':
        if (event.stepExecutionId !== null) {
          ids.add(event.stepExecutionId);
          withInput.add(event.stepExecutionId);
        }
        break;
      case 'cancellation_requested':
        openOf.add(runId);
        break;
      case 'retry_requested':
        lastOf.add(runId);
        break;
    }
  }
  return { ids: [...ids], withInput: [...withInput], openOf: [...openOf], lastOf: [...lastOf] };
}
