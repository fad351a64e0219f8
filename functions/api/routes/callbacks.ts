import * as z from 'zod';
import { readReport } from '../../../shared/agents/read-error.ts';
import type { RunChanged } from '../../../shared/application/change-run.ts';
import { limits } from '../../../shared/config/limits.ts';
import { shownAs } from '../../../shared/documents/json-schema.ts';
import type { AgentAnswered, AgentOutcome } from '../../../shared/engine/event.ts';
import type { Json } from '../../../shared/engine/json.ts';
import type { AttemptStatus } from '../../../shared/engine/state.ts';
import { parameterText } from '../fields/request-fields.ts';
import type { Answer } from '../http/answer.ts';
import { ApiError } from '../http/api-error.ts';
import { envelope } from '../http/operation.ts';
import { refusalError } from '../http/refusal-error.ts';
import { defineRoute } from '../http/route.ts';
import type { ApiServices } from '../services.ts';

const callbackParams = z.strictObject({ step_execution_id: parameterText, token: parameterText });
type CallbackParams = z.infer<typeof callbackParams>;

interface OpenedAttempt {
  readonly runId: string;
  readonly status: AttemptStatus;
}

const settledFields = {
  step_execution_id: z.string().meta({ examples: ['019338b2-7c00-7000-8000-000000000001'] }),
};
const settled = z.strictObject(settledFields);
const alreadySettled = { CONFLICT: 'The step has been settled already, or its run has ended.' };

/** Agents of many makers call here, and say in many ways that they have failed: it counts, whatever is odd about a detail. */
const failureBody = shownAs(
  z.unknown().transform((said) => readReport(said as Json, false)),
  {
    type: 'object',
    properties: {
      code: {
        type: ['string', 'null'],
        description:
          'One line of at most 255 characters, for retry policies and `catch`. Default: AGENT_ERROR.',
      },
      message: {
        type: ['string', 'null'],
        description: `${limits.maxErrorMessageLength} characters of it are kept.`,
      },
      retryable: { type: ['boolean', 'null'], default: false },
      retry_after_ms: { type: ['number', 'null'], minimum: 0, maximum: 86_400_000 },
    },
  },
);

const callback = {
  method: 'POST',
  authentication: 'none',
  params: callbackParams,
  subjectName: 'Callback',
  /** The token is the only authentication; a wrong one costs no query. */
  async find({ params }: { params: CallbackParams }, services: ApiServices): Promise<OpenedAttempt | null> {
    const { step_execution_id, token } = params;
    if (!services.verifyCallbackToken(step_execution_id, token)) return null;
    return services.runs.maybeFindAttempt(step_execution_id);
  },
} as const;

export const callbackRoutes = [
  defineRoute({
    ...callback,
    path: '/api/v1/callbacks/{step_execution_id}/{token}',
    operationId: 'completeCallback',
    summary: "Settles a step; the body is the agent's output",
    operation: {
      tags: ['callbacks'],
      answers: { 200: envelope(settled) },
      refusals: alreadySettled,
      bodyExamples: { output: { rows: 3 } },
    },
    body: { schema: z.unknown(), maxBytes: limits.maxPayloadBytes },
    async handle({ params, subject, body, audit }, { changeRun }) {
      const answer = answerOf(params, { status: 'completed', output: body as Json });
      return settledAnswer(params, await changeRun.change(subject.runId, answer, audit));
    },
  }),
  defineRoute({
    ...callback,
    path: '/api/v1/callbacks/{step_execution_id}/{token}/fail',
    operationId: 'failCallback',
    summary: 'Settles a step as failed',
    operation: {
      tags: ['callbacks'],
      answers: { 200: envelope(settled) },
      refusals: alreadySettled,
      bodyExamples: {
        failed: { code: 'UPSTREAM_DOWN', message: 'The source is not reachable', retryable: true },
      },
    },
    body: { schema: failureBody, maxBytes: limits.maxPayloadBytes, isOptional: true, takesAnyJson: true },
    async handle({ params, subject, body, audit }, { changeRun }) {
      const answer = answerOf(params, { status: 'failed', error: body });
      return settledAnswer(params, await changeRun.change(subject.runId, answer, audit));
    },
  }),
  defineRoute({
    ...callback,
    path: '/api/v1/callbacks/{step_execution_id}/{token}/heartbeat',
    operationId: 'heartbeatCallback',
    audited: 'never',
    summary: 'Says that the agent is still at it, and asks whether it is still to be',
    operation: {
      tags: ['callbacks'],
      answers: { 200: envelope(z.strictObject({ ...settledFields, status: z.literal('RUNNING') })) },
      refusals: alreadySettled,
    },
    async handle({ params, subject }, { changeRun, runs }) {
      const { step_execution_id } = params;
      if (!(await changeRun.heartbeat(subject.runId, step_execution_id))) {
        const attempt = await runs.maybeFindAttempt(step_execution_id);
        throw new ApiError('CONFLICT', 'The step has been settled already: there is nothing left to do', {
          details: { reason: 'ATTEMPT_CLOSED', status: (attempt ?? subject).status },
        });
      }
      return { status: 200, message: 'Heartbeat received', data: { step_execution_id, status: 'RUNNING' } };
    },
  }),
];

/** The token names the attempt, and is one attempt's only: there is no number to compare. */
function answerOf({ step_execution_id }: CallbackParams, outcome: AgentOutcome): AgentAnswered {
  return { type: 'agent_answered', stepExecutionId: step_execution_id, attempt: null, outcome, logs: null };
}

/** Given once the decision is committed: the agent need not call again. */
function settledAnswer({ step_execution_id }: CallbackParams, changed: RunChanged): Answer {
  if (!changed.ok) throw refusalError(changed.refusal);
  return { status: 200, message: 'Answer received', data: { step_execution_id } };
}
