import type { Viewer } from '../../../shared/application/permissions.ts';
import { limits } from '../../../shared/config/limits.ts';
import { cancelExamples } from '../documents/examples.ts';
import { cancelBody, cancellationOf } from '../fields/cancel-body.ts';
import { runIdParam } from '../fields/request-fields.ts';
import { runId, runStatus } from '../fields/response-fields.ts';
import { readRetry, retryBody, retryRefusal } from '../fields/retry-body.ts';
import type { Answer } from '../http/answer.ts';
import { notFound } from '../http/api-error.ts';
import { envelope } from '../http/operation.ts';
import { refusalError } from '../http/refusal-error.ts';
import { defineRoute } from '../http/route.ts';
import { presentRun, run } from '../presenters/run.ts';
import type { ApiServices } from '../services.ts';
import { findChangeableRun } from './find-permitted.ts';

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
      const changed = await services.changeRun.change(subject.runId, cancellationOf(caller, body), audit);
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
      const { retry, version } = await readRetry(body, subject, services);
      const changed = await services.changeRun.change(subject.runId, retry, audit, version);
      if (!changed.ok) throw retryRefusal(changed.refusal, body);
      return runAnswer(caller, subject.runId, services, { status: 202, message: 'Run resumed' });
    },
  }),
];

/** The run as a change has left it. */
export async function runAnswer(
  caller: Viewer,
  runId: string,
  { runs }: Pick<ApiServices, 'runs'>,
  answer: Pick<Answer, 'status' | 'message' | 'changesNothing'>,
): Promise<Answer> {
  const found = await runs.maybeFindRun(caller, runId);
  if (!found) throw notFound('Run');
  const data = presentRun(found);
  return { ...answer, data, beside: { run_id: data.run_id, status: data.status } };
}
