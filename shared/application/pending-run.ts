import type { Run } from '../engine/state.ts';

/** A run that nothing has been decided of, as the engine sees one that was just inserted. */
export function pendingRun(runId: string): Run {
  return {
    runId,
    status: 'PENDING',
    sequence: 0,
    startedAt: null,
    completedAt: null,
    outputData: null,
    error: null,
    cancellation: null,
    retriedAt: null,
    pausedAt: null,
    heldBy: null,
    isWorkflowPaused: false,
    stepsStarted: 0,
    timeoutAt: null,
    revisits: false,
    parent: null,
    depth: 0,
    wakeAt: null,
  };
}
