import { v7 as uuidv7 } from 'uuid';
import * as z from 'zod';
import type { RunRefusal } from '../../../shared/application/change-run.ts';
import { limits } from '../../../shared/config/limits.ts';
import { boundedText, goesIn, json, oversizedFields, parameterText } from '../fields/request-fields.ts';
import { runId } from '../fields/response-fields.ts';
import { envelope } from '../http/operation.ts';
import { refusalError } from '../http/refusal-error.ts';
import { defineRoute } from '../http/route.ts';
import type { ApiServices } from '../services.ts';
import { findChangeableRun } from './find-permitted.ts';

const received = z.strictObject({
  run_id: runId,
  name: z.string().meta({ examples: ['approved'] }),
  id: z
    .string()
    .describe('As it was sent, or made for it.')
    .meta({ examples: ['approval-7'] }),
});

export const signalRoutes = [
  defineRoute({
    method: 'POST',
    path: '/api/v1/runs/{run_id}/signals/{name}',
    operationId: 'sendSignal',
    summary: 'Sends a run a signal: the step that waits for it completes with its payload',
    operation: {
      tags: ['runs'],
      description:
        'One that comes before its step is kept for it, and so is one that comes while the run is paused. The same `id` counts once in a run, and is answered the same again.',
      answers: { 202: envelope(received) },
      refusals: {
        BAD_REQUEST: 'The run has ended.',
        PERMISSION_DENIED: '`can_execute` on the workflow of this run is needed.',
      },
      bodyExamples: { approval: { payload: { approved: true }, id: 'approval-7' } },
    },
    authentication: 'caller',
    scope: 'execute',
    params: z.strictObject({ run_id: parameterText, name: parameterText }),
    body: {
      schema: z.strictObject({
        payload: json.optional().describe("The step's output. Default: null."),
        id: boundedText(255).nullish().describe('Default: a new one, so that a repeat counts again.'),
      }),
      // The payload, and room for the rest.
      maxBytes: 2 * limits.maxPayloadBytes,
      isOptional: true,
      whereTo: goesIn('payload'),
      findOversized: ({ payload }) => oversizedFields({ payload }),
    },
    subjectName: 'Run',
    find: ({ caller, params }, services) => findChangeableRun(caller, params.run_id, services),
    async handle({ params: { name }, subject, body, audit }, services) {
      const id = body.id ?? uuidv7();
      const signal = { type: 'signal_received', name, signalId: id, payload: body.payload ?? null } as const;
      const changed = await services.changeRun.change(subject.runId, signal, audit);
      if (!changed.ok && !(await hasCome(changed.refusal, subject.runId, id, services))) {
        throw refusalError(changed.refusal, 'BAD_REQUEST');
      }
      return {
        status: 202,
        message: 'Signal received',
        data: { run_id: subject.runId, name, id },
        changesNothing: !changed.ok,
      };
    },
  }),
];

/** A repeat is answered like the first, also where the first has brought the run to its end. */
async function hasCome(
  refusal: RunRefusal,
  runId: string,
  id: string,
  { runs }: Pick<ApiServices, 'runs'>,
): Promise<boolean> {
  if (refusal.outcome !== 'refused') return false;
  return refusal.code === 'SIGNAL_REPEATED' || (refusal.code === 'RUN_CLOSED' && runs.hasSignal(runId, id));
}
