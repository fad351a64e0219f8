import type * as z from 'zod';
import type { RunFilter } from '../../../shared/persistence/run-filter.ts';
import { moment, parameterText, searchedWords } from './request-fields.ts';

/** What runs are sought by, in a query as in a body; each says for itself how it takes statuses and communities. */
export const runFilterFields = {
  workflow_id: parameterText.optional().describe("The workflow's `id`, or `wf-<name>-<version>`."),
  workflow_name: parameterText.optional(),
  triggered_by: parameterText.optional(),
  created_after: moment.optional().describe('From this moment on.'),
  created_before: moment.optional().describe('Before this moment.'),
  started_after: moment.optional().describe('From this moment on.'),
  started_before: moment.optional().describe('Before this moment.'),
  q: searchedWords.optional(),
};

type AskedRuns = z.infer<z.ZodObject<typeof runFilterFields>> & {
  readonly community_id?: number | undefined;
};

export function runFilterOf(asked: AskedRuns): Omit<RunFilter, 'statuses'> {
  return {
    workflowId: asked.workflow_id,
    workflowName: asked.workflow_name,
    triggeredBy: asked.triggered_by,
    communityId: asked.community_id,
    createdAfter: asked.created_after,
    createdBefore: asked.created_before,
    startedAfter: asked.started_after,
    startedBefore: asked.started_before,
    mentions: asked.q,
  };
}
