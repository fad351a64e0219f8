import * as z from 'zod';
import { limits } from '../../../shared/config/limits.ts';
import { isJsonObject } from '../../../shared/engine/json.ts';
import { cancelBody, cancellationOf } from '../fields/cancel-body.ts';
import { communityId, parameterText } from '../fields/request-fields.ts';
import { count } from '../fields/response-fields.ts';
import { runFilterFields, runFilterOf } from '../fields/run-filter-fields.ts';
import { envelope } from '../http/operation.ts';
import { refusalError } from '../http/refusal-error.ts';
import { defineRoute } from '../http/route.ts';
import { executionIdOf, presentRunSummary, runSummary } from '../presenters/run.ts';

const MAX_IDS = 1_000;
const MAX_CANCELLED = 1_000;
const bulkCancelled = z.strictObject({
  dry_run: z.boolean(),
  matched: count,
  cancelled: count,
  remaining: count.describe(
    'Found, and open still: beyond what one request cancels, or for a fault of ours.',
  ),
});
const openStatus = z.enum(['PENDING', 'RUNNING', 'PAUSED'], {
  error: 'expected PENDING, RUNNING or PAUSED',
});

const bulkFilter = z.strictObject(
  {
    status: z
      .union([openStatus, z.array(openStatus)], {
        error: 'expected PENDING, RUNNING, PAUSED or a list of them',
      })
      .optional(),
    ...runFilterFields,
    community_id: communityId.optional(),
  },
  { error: 'expected an object' },
);

export const runBatchRoutes = [
  defineRoute({
    method: 'POST',
    path: '/api/v1/runs/batch-status',
    operationId: 'getStatusOfRuns',
    summary: 'The runs of up to 1,000 ids, without their data',
    operation: {
      tags: ['runs'],
      answers: {
        200: envelope(z.array(runSummary), {
          meta: z.strictObject({
            not_found: z
              .array(z.string())
              .describe('Those of the ids that name nothing the caller may see.')
              .meta({ examples: [[]] }),
          }),
        }),
      },
      bodyExamples: { ids: { ids: ['run-550e8400-e29b-41d4-a716-446655440000'] } },
    },
    authentication: 'caller',
    scope: 'read',
    body: {
      schema: z.strictObject({
        ids: z
          .array(parameterText, { error: 'expected a list of ids' })
          .min(1, 'expected at least one id')
          .max(MAX_IDS, `expected at most ${MAX_IDS} ids`)
          .describe('Each a `run_id` or an `execution_id`.'),
      }),
      maxBytes: limits.maxDefinitionBytes,
    },
    async handle({ caller, body }, { runBatches }) {
      const runs = (await runBatches.findRuns(caller, body.ids)).map((run) => ({
        names: [run.run_id, executionIdOf(run)],
        shown: presentRunSummary(run),
      }));
      const byName = new Map(runs.flatMap(({ names, shown }) => names.map((name) => [name, shown] as const)));
      const shownFor = (id: string) => byName.get(id) ?? byName.get(id.toLowerCase());
      return {
        status: 200,
        message: 'Runs retrieved',
        data: [...new Set(body.ids.flatMap((id) => shownFor(id) ?? []))],
        meta: { not_found: body.ids.filter((id) => shownFor(id) === undefined) },
      };
    },
  }),
  defineRoute({
    method: 'POST',
    path: '/api/v1/runs/bulk-cancel',
    operationId: 'cancelRuns',
    summary: 'Cancels the open runs that a filter finds, up to 1,000 at once, or counts them',
    operation: {
      tags: ['runs'],
      answers: { 200: envelope(bulkCancelled) },
      refusals: {
        PERMISSION_DENIED: '`cancelled_by` is who asks, unless that is an admin.',
        EXECUTION_ERROR:
          'A fault of the engine on each run that was found; `request_id` finds it in the log.',
      },
      bodyExamples: {
        count: { filter: { workflow_name: 'data-pipeline' }, dry_run: true },
        cancel: {
          filter: { workflow_name: 'data-pipeline', started_before: '2024-01-15T10:30:00Z' },
          reason: 'Stuck',
        },
      },
    },
    authentication: 'caller',
    scope: 'execute',
    body: {
      schema: cancelBody.extend({
        filter: bulkFilter.describe(
          'At least one of its fields: nobody cancels everything by leaving it out.',
        ),
        dry_run: z.boolean({ error: 'expected true or false' }).default(false).describe('Counts only.'),
      }),
      maxBytes: limits.maxPayloadBytes,
      findProblems: (json) =>
        isJsonObject(json) && isJsonObject(json.filter) && Object.keys(json.filter).length === 0
          ? [{ path: 'filter', message: 'expected at least one field' }]
          : [],
    },
    async handle({ caller, body, audit }, { runBatches, changeRun }) {
      const { filter, dry_run } = body;
      const cancellation = cancellationOf(caller, body);
      const { total, runIds } = await runBatches.findOpenRuns(
        caller,
        {
          statuses: filter.status === undefined ? undefined : [filter.status].flat(),
          ...runFilterOf(filter),
        },
        MAX_CANCELLED,
      );
      if (dry_run) {
        const data = { dry_run, matched: total, cancelled: 0, remaining: total };
        return { status: 200, message: `${total} runs would be cancelled`, data, changesNothing: true };
      }
      const changes = await changeRun.changeAll(runIds, cancellation, audit);
      const cancelled = changes.filter(({ ok }) => ok).length;
      // Those that ended by themselves meanwhile are neither cancelled nor left; those that met a fault of the engine are open still.
      const failed = changes.flatMap((change) =>
        !change.ok && change.refusal.outcome === 'defect' ? [change.refusal] : [],
      );
      if (cancelled === 0 && failed[0] !== undefined) throw refusalError(failed[0]);
      const data = { dry_run, matched: total, cancelled, remaining: total - runIds.length + failed.length };
      return {
        status: 200,
        message: `${cancelled} runs cancelled`,
        data,
        changesNothing: cancelled === 0,
      };
    },
  }),
];
