import type { Page, PageRequest, Position } from '../../../shared/application/page.ts';
import type { Plan } from '../../../shared/engine/plan.ts';
import type { RunProgress, RunQueries } from '../../../shared/persistence/run-queries.ts';
import { presentStep } from '../presenters/step.ts';
import type { ApiServices } from '../services.ts';
import { MAX_ITEMS_BYTES } from './page-answer.ts';

type PresentedStep = ReturnType<typeof presentStep>;

interface StepServices extends Pick<ApiServices, 'findPlan'> {
  readonly runs: Pick<RunQueries, 'readSteps'>;
}

/**
 * A page of at most `limit` steps, at least one where there are any, and as many as an answer can carry: where that ends it early,
 * its cursor says that it goes on.
 */
export async function readStepPage(
  { runs, findPlan }: StepServices,
  { runId, versionId }: Pick<RunProgress, 'runId' | 'versionId'>,
  { after, limit }: PageRequest,
): Promise<Page<PresentedStep>> {
  let plan: Plan | null = null;
  const items: PresentedStep[] = [];
  let bytes = 0;
  let last: Position | null = after;
  for (;;) {
    // One more than is asked tells whether there is a next page.
    const piece = await runs.readSteps(runId, { after: last, limit: limit - items.length + 1 });
    // A plan is large, and a sequence's steps need none.
    if (plan === null && piece.steps.some(({ step }) => step.scope !== '')) plan = await findPlan(versionId);
    for (const { step, position } of piece.steps) {
      const item = presentStep(step, plan);
      bytes += Buffer.byteLength(JSON.stringify(item));
      const isFull = items.length === limit || (bytes > MAX_ITEMS_BYTES && items.length > 0);
      if (isFull) return { items, next: last };
      items.push(item);
      last = position;
    }
    if (piece.isWhole) return { items, next: null };
  }
}
