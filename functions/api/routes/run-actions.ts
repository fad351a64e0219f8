import { z } from 'zod';
import type { Cancellation } from '../../../shared/application/change-run.ts';
import type { Viewer } from '../../../shared/application/viewer.ts';
import { limits } from '../../../shared/config/limits.ts';
import type { Answer } from '../answer.ts';
import { notFound } from '../api-error.ts';
import { cancelExamples } from '../examples.ts';
import { envelope } from '../operation.ts';
import { findChangeableRun } from '../permissions.ts';
import { presentRun, run } from '../presenters/run.ts';
import { refusalError } from '../refusals.ts';
import { runId, runStatus } from '../response-fields.ts';
import { defineRoute } from '../route.ts';
import { runIdParam } from '../schemas.ts';
import type { ApiServices } from '../services.ts';

export const cancelBody = z.strictObject({
  reason: z
    .string({ error: 'expected text' })
    .max(limits.maxErrorMessageLength, `expected at most ${limits.maxErrorMessageLength} characters`)
    .nullish(),
  cancelled_by: z
    .string({ error: 'expected text' })
    .min(1, 'expected at least one character')
    .max(255, 'expected at most 255 characters')
    .nullish()
    .describe('Default: who asks.'),
});

export function cancellationOf(
  caller: Viewer,
  { cancelled_by, reason }: z.infer<typeof cancelBody>,
): Cancellation {
  return { by: cancelled_by ?? caller.userId, reason: reason ?? null };
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
        PERMISSION_DENIED: '`can_execute` on the workflow of this run is needed.',
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
    summary: 'Resumes a failed or cancelled run after its last completed step',
    operation: {
      tags: ['runs'],
      answers: { 202: envelope(run, { beside: { run_id: runId, status: runStatus } }) },
      refusals: {
        CONFLICT: 'It has completed, or has not ended.',
        PERMISSION_DENIED: '`can_execute` on the workflow of this run is needed.',
      },
    },
    authentication: 'caller',
    scope: 'execute',
    params: runIdParam,
    body: { schema: z.strictObject({}), maxBytes: limits.maxPayloadBytes, isOptional: true },
    subjectName: 'Run',
    find: ({ caller, params }, services) => findChangeableRun(caller, params.run_id, services),
    async handle({ caller, subject, audit }, services) {
      const changed = await services.changeRun.retry(subject.runId, {}, audit);
      if (!changed.ok) throw refusalError(changed.refusal);
      return runAnswer(caller, subject.runId, services, { status: 202, message: 'Run resumed' });
    },
  }),
];

async function runAnswer(
  caller: Viewer,
  id: string,
  { runs }: ApiServices,
  { status, message }: Pick<Answer, 'status' | 'message'>,
): Promise<Answer> {
  const found = await runs.maybeFindRun(caller, id);
  if (!found) throw notFound('Run');
  return { status, message, data: presentRun(found), beside: { run_id: found.run_id, status: found.status } };
}
