import * as z from 'zod';
import { limits } from '../../../shared/config/limits.ts';
import { idParam, runIdParam } from '../fields/request-fields.ts';
import { count, runId, runStatus, uuid } from '../fields/response-fields.ts';
import { type AnswerSpec, envelope } from '../http/operation.ts';
import { refusalError } from '../http/refusal-error.ts';
import { type AnyRoute, defineRoute } from '../http/route.ts';
import { run } from '../presenters/run.ts';
import { findChangeableRun, findManageable } from './find-permitted.ts';
import { runAnswer } from './run-actions.ts';

const nothing = { schema: z.strictObject({}), maxBytes: limits.maxPayloadBytes, isOptional: true } as const;
const changedRun: AnswerSpec = envelope(run, { beside: { run_id: runId, status: runStatus } });

interface Wording {
  readonly operationId: string;
  readonly summary: string;
  readonly description: string;
  readonly message: string;
}

const ofRun: Record<'pause' | 'resume', Wording> = {
  pause: {
    operationId: 'pauseRun',
    summary: 'Pauses a run: no step starts until it is resumed',
    description:
      'What is under way goes on; answers, timers and signals that come meanwhile are kept, and take effect when it is resumed. A run that is paused stays so; one that its workflow’s pause holds is then held by both.',
    message: 'Run paused',
  },
  resume: {
    operationId: 'resumeRun',
    summary: 'Resumes a paused run',
    description:
      'What was kept takes effect, and what fell due is due now. A run that is not paused stays so. While its workflow is paused, the run is held by that: `held_by` says so.',
    message: 'Run resumed',
  },
};

const ofWorkflow: Record<'pause' | 'resume', Wording> = {
  pause: {
    operationId: 'pauseWorkflow',
    summary: 'Pauses a workflow: its open runs, and those that begin from now on',
    description:
      'Its pause holds each of them until the workflow is resumed, beside their own pauses. Asked for again, it goes on with what is left.',
    message: 'Workflow paused',
  },
  resume: {
    operationId: 'resumeWorkflow',
    summary: 'Resumes a workflow, and the runs that its pause holds',
    description:
      'Runs that were paused one by one stay so until each is resumed. Asked for again, it goes on with what is left.',
    message: 'Workflow resumed',
  },
};

export const pauseRoutes = (['pause', 'resume'] as const).flatMap((what) => [
  runRoute(what),
  workflowRoute(what),
]);

function runRoute(what: 'pause' | 'resume'): AnyRoute {
  const { message, operationId, summary, description } = ofRun[what];
  /** It is so already. */
  const settled = what === 'pause' ? 'RUN_PAUSED' : 'RUN_NOT_PAUSED';
  return defineRoute({
    method: 'POST',
    path: `/api/v1/runs/{run_id}/${what}`,
    operationId,
    summary,
    operation: {
      tags: ['runs'],
      description,
      answers: { 200: changedRun },
      refusals: {
        BAD_REQUEST: 'It has ended.',
        PERMISSION_DENIED: '`can_execute` on the workflow of this run is needed.',
      },
    },
    authentication: 'caller',
    scope: 'execute',
    params: runIdParam,
    body: nothing,
    subjectName: 'Run',
    find: ({ caller, params }, services) => findChangeableRun(caller, params.run_id, services),
    async handle({ caller, subject, audit }, services) {
      const changed = await services.changeRun.change(subject.runId, { type: `${what}_requested` }, audit);
      if (!changed.ok) {
        const { refusal } = changed;
        if (refusal.outcome !== 'refused' || refusal.code !== settled)
          throw refusalError(refusal, 'BAD_REQUEST');
      }
      const said = changed.ok ? message : `${message} before`;
      const answer = { status: 200, message: said, changesNothing: !changed.ok } as const;
      const answered = await runAnswer(caller, subject.runId, services, answer);
      const isHeld = what === 'resume' && answered.beside?.status === 'PAUSED';
      return isHeld ? { ...answered, message: `${said}; the pause of its workflow holds it` } : answered;
    },
  });
}

function workflowRoute(what: 'pause' | 'resume'): AnyRoute {
  const { message, operationId, summary, description } = ofWorkflow[what];
  return defineRoute({
    method: 'POST',
    path: `/api/v1/workflows/{id}/${what}`,
    operationId,
    summary,
    operation: {
      tags: ['runs'],
      description,
      answers: {
        200: envelope(
          z.strictObject({
            id: uuid,
            paused: z.boolean(),
            runs: count.describe('Open runs that its pause holds from now on, or no longer.'),
          }),
          { beside: { id: uuid } },
        ),
      },
      refusals: { PERMISSION_DENIED: 'Only its owner may change this workflow.' },
    },
    authentication: 'caller',
    params: idParam,
    body: nothing,
    subjectName: 'Workflow',
    find: ({ caller, params }, services) => findManageable(caller, params.id, services),
    async handle({ caller, subject, audit }, { setWorkflowPaused }) {
      const isPaused = what === 'pause';
      const { isChanged, runs } = await setWorkflowPaused(caller, subject.id, isPaused, audit);
      return {
        status: 200,
        message,
        data: { id: subject.id, paused: isPaused, runs },
        beside: { id: subject.id },
        changesNothing: !isChanged && runs === 0,
      };
    },
  });
}
