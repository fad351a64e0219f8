import type { ProcessBatch } from '../../shared/application/process-batch.ts';

export interface EndedRuns {
  /** The same, with what it ends seen. */
  watch(processBatch: ProcessBatch): ProcessBatch;
  /** Resolves when so many runs more have reached their end. @throws when one did not complete. */
  completions(count: number): Promise<void>;
  /** Resolves when this run has, once. @throws when it did not complete. */
  completionOf(runId: string): Promise<void>;
}

/** Knows which runs decisions have ended, so that nobody has to ask the database again and again. */
export function createEndedRuns(): EndedRuns {
  let count = 0;
  const failed: string[] = [];
  let waiting: { at: number; resolve: () => void; reject: (error: Error) => void } | null = null;
  /** A run may end before somebody asks for it, and the other way round. */
  const statuses = new Map<string, string>();
  const listeners = new Map<string, (status: string) => void>();

  function end(runId: string, status: string): void {
    if (status === 'COMPLETED') count += 1;
    else failed.push(`${runId} ${status}`);
    const listener = listeners.get(runId);
    if (listener === undefined) statuses.set(runId, status);
    else listener(status);
    listeners.delete(runId);
  }

  return {
    watch: (processBatch) => async (items) => {
      const outcomes = await processBatch(items);
      for (const [i, outcome] of outcomes.entries()) {
        const { runId } = items[i]!;
        if (outcome.outcome === 'decided' && outcome.status !== 'RUNNING') end(runId, outcome.status);
      }
      if (failed.length > 0) waiting?.reject(new Error(`Runs did not complete: ${failed.join(', ')}`));
      else if (waiting !== null && count >= waiting.at) waiting.resolve();
      return outcomes;
    },
    completions: (more) =>
      new Promise((resolve, reject) => {
        statuses.clear();
        waiting = { at: count + more, resolve, reject };
      }),
    async completionOf(runId) {
      const known = statuses.get(runId);
      statuses.delete(runId);
      const status = known ?? (await new Promise<string>((resolve) => listeners.set(runId, resolve)));
      if (status !== 'COMPLETED') throw new Error(`${runId} ended ${status}`);
    },
  };
}
