import * as z from 'zod';
import { shownAs } from '../../../shared/documents/json-schema.ts';
import type { ExecutionStatus } from '../../../shared/persistence/execution-status.ts';
import { encodeCursor, timeCursor } from '../cursor.ts';
import { envelope, pageOf } from '../operation.ts';
import { isClosed } from '../presenters/execution.ts';
import { presentRun, presentRunSummary, run, runSummary } from '../presenters/run.ts';
import { step } from '../presenters/step.ts';
import { communityIdParameter, pageLimit, runIdParam } from '../request-fields.ts';
import { runId, runStatus } from '../response-fields.ts';
import { defineRoute } from '../route.ts';
import { runFilterFields } from '../run-filter-fields.ts';
import { readStepPage } from '../step-page.ts';

const statuses: readonly string[] = [
  'PENDING',
  'RUNNING',
  'PAUSED',
  'COMPLETED',
  'FAILED',
  'CANCELLED',
] satisfies ExecutionStatus[];

const statusFilter = shownAs(
  z
    .union([z.string(), z.array(z.string())])
    .transform(
      (given) => [given].flat().flatMap((text) => text.toUpperCase().split(',')) as ExecutionStatus[],
    )
    .refine(
      (given) => given.every((one) => statuses.includes(one)),
      `expected one of ${statuses.join(', ')}`,
    ),
  { type: 'array', items: { type: 'string', enum: [...statuses] } },
);

const runFilters = {
  status: statusFilter.optional().describe('One status, or several: with commas, or the parameter repeated.'),
  ...runFilterFields,
  community_id: communityIdParameter.optional(),
};

export const runRoutes = [
  defineRoute({
    method: 'GET',
    path: '/api/v1/runs',
    operationId: 'listRuns',
    summary: 'Runs without their data, newest first',
    operation: { tags: ['runs'], answers: { 200: pageOf(runSummary) } },
    authentication: 'caller',
    query: z.strictObject({
      ...runFilters,
      cursor: timeCursor.optional(),
      limit: pageLimit(100, 1_000),
    }),
    async handle({ caller, query: { cursor, limit, ...filter } }, { runs }) {
      const page = await runs.listRuns(
        caller,
        {
          statuses: filter.status,
          workflowId: filter.workflow_id,
          workflowName: filter.workflow_name,
          triggeredBy: filter.triggered_by,
          communityId: filter.community_id,
          createdAfter: filter.created_after,
          createdBefore: filter.created_before,
          startedAfter: filter.started_after,
          startedBefore: filter.started_before,
          mentions: filter.q,
        },
        { after: cursor ?? null, limit },
      );
      return {
        status: 200,
        message: 'Runs retrieved',
        data: page.items.map(presentRunSummary),
        meta: { limit, next_cursor: page.next && encodeCursor(page.next) },
      };
    },
  }),
  defineRoute({
    method: 'GET',
    path: '/api/v1/runs/{run_id}',
    operationId: 'getRun',
    summary: 'A run with its data',
    operation: {
      tags: ['runs'],
      answers: { 200: envelope(run, { beside: { run_id: runId, status: runStatus } }) },
      hasETag: true,
    },
    authentication: 'caller',
    params: runIdParam,
    subjectName: 'Run',
    find: ({ caller, params }, { runs }) => runs.maybeFindRun(caller, params.run_id),
    async handle({ subject }) {
      const data = presentRun(subject);
      const { run_id, status } = data;
      return {
        status: 200,
        message: 'Run retrieved',
        data,
        beside: { run_id, status },
        isFinal: isClosed(subject),
      };
    },
  }),
  defineRoute({
    method: 'GET',
    path: '/api/v1/runs/{run_id}/steps',
    operationId: 'listSteps',
    summary: "A run's attempts of steps, oldest first",
    operation: { tags: ['runs'], answers: { 200: pageOf(step) }, hasETag: true },
    authentication: 'caller',
    params: runIdParam,
    query: z.strictObject({ cursor: timeCursor.optional(), limit: pageLimit(1_000, 1_000) }),
    subjectName: 'Run',
    find: ({ caller, params }, { runs }) => runs.maybeFindRunStatus(caller, params.run_id),
    async handle({ subject, query: { cursor, limit } }, services) {
      const page = await readStepPage(services, subject, { after: cursor ?? null, limit });
      return {
        status: 200,
        message: 'Steps retrieved',
        data: page.items,
        meta: { limit, next_cursor: page.next && encodeCursor(page.next) },
        isFinal: isClosed(subject),
      };
    },
  }),
];
