import { isOpenAttempt } from '../engine/state.ts';
import { isEmptyQuery, NO_ATTEMPTS } from './attempt-query.ts';
import type { BatchItem } from './batch.ts';
import type { LoadedRun, RunReads } from './ports/run-store.ts';

/**
 * Of the children that somebody who has shown nothing wants to end, those whose parent has gone on without them: the release
 * before asks for their end without a token. Nobody else's records cost a statement.
 */
export async function loadOrphans(
  reads: RunReads,
  runs: ReadonlyMap<string, LoadedRun>,
  items: readonly BatchItem[],
): Promise<ReadonlySet<string>> {
  const asked = items.flatMap(({ runId, onlyOfNobody }) => {
    const { owner, run } = runs.get(runId) ?? {};
    return onlyOfNobody && run?.parent && owner !== null ? [{ runId, parent: run.parent }] : [];
  });
  const query = { ...NO_ATTEMPTS, parents: asked.map(({ parent }) => parent.stepExecutionId) };
  if (isEmptyQuery(query)) return new Set();
  const attempts = await reads.loadAttempts(query);
  const isAwaited = ({ runId, stepExecutionId: id }: { runId: string; stepExecutionId: string }) =>
    (attempts.get(runId) ?? []).some((attempt) => attempt.stepExecutionId === id && isOpenAttempt(attempt));
  return new Set(asked.filter(({ parent }) => !isAwaited(parent)).map(({ runId }) => runId));
}
