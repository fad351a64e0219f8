import * as z from 'zod';
import { communityIdParameter, pageLimit, runIdParam, runStatusFilter } from '../fields/request-fields.ts';
import { runId, runStatus } from '../fields/response-fields.ts';
import { runFilterFields, runFilterOf } from '../fields/run-filter-fields.ts';
import { envelope, pagedEnvelope } from '../http/operation.ts';
import { defineRoute } from '../http/route.ts';
import { timeCursor } from '../paging/cursor.ts';
import { pageAnswer } from '../paging/page-answer.ts';
import { readStepPage } from '../paging/step-page.ts';
import { isClosed } from '../presenters/execution.ts';
import { presentRun, presentRunSummary, run, runSummary } from '../presenters/run.ts';
import { step } from '../presenters/step.ts';

const runFilters = {
  status: runStatusFilter
    .optional()
    .describe('One status, or several: with commas, or the parameter repeated.'),
  ...runFilterFields,
  community_id: communityIdParameter.optional(),
};

export const runRoutes = [
  defineRoute({
    method: 'GET',
    path: '/api/v1/runs',
    operationId: 'listRuns',
    summary: 'Runs without their data, newest first',
    operation: { tags: ['runs'], answers: { 200: pagedEnvelope(runSummary) } },
    authentication: 'caller',
    query: z.strictObject({
      ...runFilters,
      cursor: timeCursor.optional(),
      limit: pageLimit(100, 1_000),
    }),
    async handle({ caller, query: { cursor, limit, ...filter } }, { runs }) {
      const page = await runs.listRuns(
        caller,
        { statuses: filter.status, ...runFilterOf(filter) },
        { after: cursor ?? null, limit },
      );
      return pageAnswer('Runs retrieved', page, limit, presentRunSummary);
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
    operation: { tags: ['runs'], answers: { 200: pagedEnvelope(step) }, hasETag: true },
    authentication: 'caller',
    params: runIdParam,
    query: z.strictObject({ cursor: timeCursor.optional(), limit: pageLimit(1_000, 1_000) }),
    subjectName: 'Run',
    find: ({ caller, params }, { runs }) => runs.maybeFindRunStatus(caller, params.run_id),
    async handle({ subject, query: { cursor, limit } }, services) {
      const page = await readStepPage(services, subject, { after: cursor ?? null, limit });
      return {
        ...pageAnswer('Steps retrieved', page, limit, (presented) => presented),
        isFinal: isClosed(subject),
      };
    },
  }),
];
