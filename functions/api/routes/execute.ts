import * as z from 'zod';
import { limits } from '../../../shared/config/limits.ts';
import { executeExamples, startedExample } from '../documents/examples.ts';
import { goesIn, idParam, oversizedFields } from '../fields/request-fields.ts';
import { runId, runStatus } from '../fields/response-fields.ts';
import { findFormProblems, runInput } from '../fields/run-input.ts';
import { envelope } from '../http/operation.ts';
import { defineRoute } from '../http/route.ts';
import { startedExecution } from '../presenters/execution.ts';
import { warningsMeta } from '../presenters/warnings.ts';
import { findExecutable, recallExecutable, requireMembership } from './find-permitted.ts';

export const executeRoutes = [
  defineRoute({
    method: 'POST',
    path: '/api/v1/workflows/{id}/execute',
    operationId: 'executeWorkflow',
    summary: "Starts a run of the workflow's newest version",
    operation: {
      tags: ['runs', 'executions'],
      description:
        'Answers at once. `input_data`, or `variables` with `community_id`; either stands for the other where mappings read it. `meta.warnings` tells of agents and workflows that its steps name and that are not registered: the run would fail at those steps.',
      answers: {
        202: envelope(startedExecution, {
          meta: warningsMeta,
          beside: { run_id: runId, status: runStatus },
          headers: ['Location'],
          example: startedExample,
        }),
      },
      refusals: {
        PERMISSION_DENIED: '`can_execute` on this workflow is needed, and membership of the community.',
      },
      bodyExamples: executeExamples,
    },
    authentication: 'caller',
    scope: 'execute',
    params: idParam,
    body: {
      schema: z.strictObject(runInput),
      // One of input_data and variables, metadata, and room for the rest.
      maxBytes: 3 * limits.maxPayloadBytes,
      isOptional: true,
      whereTo: goesIn('input_data'),
      findProblems: findFormProblems,
      findOversized: ({ input_data, variables, metadata }) =>
        oversizedFields({ input_data, variables, metadata }),
    },
    subjectName: 'Workflow',
    find: ({ caller, params }, services) => findExecutable(caller, params.id, services),
    recall: ({ caller, params }, services) => recallExecutable(caller, params.id, services),
    takesIdempotencyKey: true,
    async handle({ caller, subject, body, idempotencyKey, audit, grounds }, { startRun, findMissingNames }) {
      requireMembership(caller, body.community_id);
      const starting = startRun({
        owner: subject.owner,
        triggeredBy: caller.userId,
        workflow: subject,
        inputData: body.input_data ?? undefined,
        variables: body.variables ?? undefined,
        communityId: body.community_id ?? null,
        metadata: body.metadata ?? null,
        idempotencyKey,
        audit,
        grounds,
      });
      const [started, warnings] = await Promise.all([
        starting,
        findMissingNames(caller, { ...subject, patienceMs: 0 }),
      ]);
      return {
        status: 202,
        message: 'Workflow execution started',
        data: {
          execution_id: started.executionId,
          workflow_id: subject.id,
          // As its clients were promised, though the run is still to be picked up; reads show the real status.
          status: 'running',
          start_time: started.createdAt.toISOString(),
          execution_path: [],
        },
        meta: { warnings },
        beside: { run_id: started.runId, status: 'PENDING' },
        headers: { Location: `/api/v1/runs/${started.runId}` },
        changesNothing: started.isRepeat,
      };
    },
  }),
];
