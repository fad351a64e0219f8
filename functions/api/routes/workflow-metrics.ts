import * as z from 'zod';
import { metricsLimits } from '../../../shared/persistence/workflow-metrics.ts';
import { idParam, integerParameter, moment } from '../fields/request-fields.ts';
import { badRequest } from '../http/api-error.ts';
import { envelope } from '../http/operation.ts';
import { defineRoute } from '../http/route.ts';
import {
  presentRunMetrics,
  presentStepMetrics,
  workflowMetrics,
  workflowMetricsMeta,
} from '../presenters/workflow-metrics.ts';

const DAY_MS = 86_400_000;
const MAX_DAYS = 31;
/** Postgres knows no year 0. */
const EARLIEST_MS = Date.parse('0001-01-01T00:00:00Z');
const MAX_VERSION = 999_999_999;

export const workflowMetricsRoutes = [
  defineRoute({
    method: 'GET',
    path: '/api/v1/workflows/{id}/metrics',
    operationId: 'getWorkflowMetrics',
    summary: "How a workflow's runs of a time went: counts, success rate, durations, slowest steps",
    operation: {
      tags: ['executions'],
      answers: { 200: envelope(workflowMetrics, { meta: workflowMetricsMeta }) },
    },
    authentication: 'caller',
    params: idParam,
    query: z.strictObject({
      started_after: moment.optional().describe('From this moment on. Default: a day before the end.'),
      started_before: moment
        .optional()
        .describe(`Before this moment, at most ${MAX_DAYS} days later. Default: now.`),
      version: integerParameter(1, MAX_VERSION).optional().describe('Default: all versions together.'),
    }),
    subjectName: 'Workflow',
    find: ({ caller, params }, { workflows }) => workflows.maybeFindRights(caller, params.id),
    async handle({ caller, subject, query }, services) {
      const range = rangeOf(query, Date.now());
      const sought = { workflowId: subject.id, version: query.version, ...range };
      const runs = await services.workflowMetrics.readRunMetrics(caller, sought);
      const steps = await services.workflowMetrics.readSlowestSteps(caller, sought);
      return {
        status: 200,
        message: 'Metrics retrieved',
        data: {
          workflow_id: subject.id,
          version: query.version ?? null,
          started_after: range.startedAfter,
          started_before: range.startedBefore,
          ...presentRunMetrics(runs),
          slowest_steps: steps.map(presentStepMetrics),
        },
        meta: {
          range: rangeSaid(query),
          max_range_days: MAX_DAYS,
          // Of more runs in the range than the limit, the newest are looked at.
          runs_limit: metricsLimits.runs,
          is_limited: runs.runs === metricsLimits.runs,
          steps_of_runs_limit: metricsLimits.runsWithSteps,
          attempts_limit: metricsLimits.attempts,
        },
      };
    },
  }),
];

interface AskedRange {
  readonly started_after?: string | undefined;
  readonly started_before?: string | undefined;
}

/** @throws ApiError 400 where the range is empty or too long */
function rangeOf({ started_after, started_before }: AskedRange, nowMs: number) {
  const endMs = started_before === undefined ? nowMs : Date.parse(started_before);
  const startMs =
    started_after === undefined ? Math.max(endMs - DAY_MS, EARLIEST_MS) : Date.parse(started_after);
  if (startMs >= endMs) {
    const end = started_before === undefined ? 'now' : 'started_before';
    throw badRequest([{ path: 'started_after', message: `expected a moment before ${end}` }]);
  }
  if (endMs - startMs > MAX_DAYS * DAY_MS) {
    throw badRequest([
      {
        path: 'started_after',
        message: `expected at most ${MAX_DAYS} days from started_after to started_before (default: now)`,
      },
    ]);
  }
  return {
    startedAfter: started_after ?? new Date(startMs).toISOString(),
    startedBefore: started_before ?? new Date(endMs).toISOString(),
  };
}

function rangeSaid({ started_after, started_before }: AskedRange): string {
  if (started_after !== undefined) return 'as asked for';
  return `by default the 24 hours before ${started_before === undefined ? 'now' : 'started_before'}`;
}
