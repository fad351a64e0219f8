import * as z from 'zod';
import type { Cancellation } from '../../../shared/application/change-run.ts';
import type { Viewer } from '../../../shared/application/viewer.ts';
import { limits } from '../../../shared/config/limits.ts';
import { atMostCharacters } from '../../../shared/validation/characters.ts';
import { ApiError } from '../api-error.ts';
import { cancelExamples } from '../examples.ts';
import { findChangeableRun } from '../find-permitted.ts';
import { envelope } from '../operation.ts';
import { run } from '../presenters/run.ts';
import { refusalError } from '../refusal-error.ts';
import { boundedText, runIdParam } from '../request-fields.ts';
import { runId, runStatus } from '../response-fields.ts';
import { retryBody, retryGivenOf, retryRefusal } from '../retry-body.ts';
import { defineRoute } from '../route.ts';
import { runAnswer } from '../run-answer.ts';

export const cancelBody = z.strictObject({
  reason: z
    .string({ error: 'expected text' })
    .check(atMostCharacters(limits.maxErrorMessageLength))
    .nullish(),
  cancelled_by: boundedText(255)
    .nullish()
    .describe('Who asks, which is the default; another only by an admin.'),
});

/** @throws ApiError 403: in somebody else's name */
export function cancellationOf(
  { userId, isAdmin }: Viewer,
  { cancelled_by, reason }: z.infer<typeof cancelBody>,
): Cancellation {
  const by = cancelled_by ?? userId;
  if (by !== userId && !isAdmin) {
    throw new ApiError('PERMISSION_DENIED', 'cancelled_by: only an admin may name another than who asks');
  }
  return { by, reason: reason ?? null };
}

export const runActionRoutes = [
  defineRoute({
    method: 'POST',
    path: '/api/v1/runs/{run_id}/cancel',
    operationId: 'cancelRun',
    summary: 'Cancels a run that has not ended',
    operation: {
      tags: ['runs'],
      answers: { 200: envelope(run, { beside: { run_id: runId, status: runStatus } }) },
      refusals: {
        BAD_REQUEST: 'It has ended already.',
        PERMISSION_DENIED:
          '`can_execute` on the workflow of this run is needed; and `cancelled_by` is who asks, unless that is an admin.',
      },
      bodyExamples: cancelExamples,
    },
    authentication: 'caller',
    scope: 'execute',
    params: runIdParam,
    body: { schema: cancelBody, maxBytes: limits.maxPayloadBytes, isOptional: true },
    subjectName: 'Run',
    find: ({ caller, params }, services) => findChangeableRun(caller, params.run_id, services),
    async handle({ caller, subject, body, audit }, services) {
      const changed = await services.changeRun.cancel(subject.runId, cancellationOf(caller, body), audit);
      if (!changed.ok) throw refusalError(changed.refusal, 'BAD_REQUEST');
      return runAnswer(caller, subject.runId, services, { status: 200, message: 'Run cancelled' });
    },
  }),
  defineRoute({
    method: 'POST',
    path: '/api/v1/runs/{run_id}/retry',
    operationId: 'retryRun',
    summary: 'Goes on with a run that has ended: from where it failed, or from any step that it came to',
    operation: {
      tags: ['runs'],
      description:
        'Without a body, a failed or cancelled run goes on after its last completed step; what has completed is kept. With `from_step`, a completed one too goes back to that step: in whatever branch or item it ran last, or in that of `from_scope`.',
      answers: { 202: envelope(run, { beside: { run_id: runId, status: runStatus } }) },
      refusals: {
        CONFLICT:
          'It has not ended; it has completed, and no step is named; or the version is not compatible with what it has done, and `details.step_ids` says with which steps.',
        PERMISSION_DENIED: '`can_execute` on the workflow of this run is needed.',
      },
      bodyExamples: { as_it_was: {}, latest_version: { version: 'latest' } },
    },
    authentication: 'caller',
    scope: 'execute',
    params: runIdParam,
    body: retryBody,
    subjectName: 'Run',
    find: ({ caller, params }, services) => findChangeableRun(caller, params.run_id, services),
    async handle({ caller, subject, body, audit }, services) {
      const given = await retryGivenOf(body, subject, services);
      const changed = await services.changeRun.retry(subject.runId, given, audit);
      if (!changed.ok) throw retryRefusal(changed.refusal, body);
      return runAnswer(caller, subject.runId, services, { status: 202, message: 'Run resumed' });
    },
  }),
];
