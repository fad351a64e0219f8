import * as z from 'zod';
import { limits } from '../../../shared/config/limits.ts';
import {
  executionIdParam,
  executionStatusFilter,
  flag,
  goesIn,
  idParam,
  integerParameter,
  jsonObject,
  moment,
  oversizedFields,
  pageLimit,
  parameterText,
  searchedWords,
  uuidParameter,
} from '../fields/request-fields.ts';
import { notFound } from '../http/api-error.ts';
import { bare } from '../http/operation.ts';
import { refusalError } from '../http/refusal-error.ts';
import { defineRoute } from '../http/route.ts';
import { fittingItems, nextPageLink } from '../paging/page-answer.ts';
import { isClosed } from '../presenters/execution.ts';
import {
  logEntry,
  plainExecution,
  plainResult,
  presentLogEntry,
  presentPlainExecution,
  presentPlainResult,
} from '../presenters/plain.ts';
import { recallExecutable } from './find-permitted.ts';

/*
 * The plain face: bare objects, errors as `{detail, error_code}`, and of everything one's own only, an admin's too. An id that
 * is no UUID is a 400 here (`create-api.ts`).
 */

const MAX_OFFSET = 999_999_999;
const offset = integerParameter(0, MAX_OFFSET).default(0);
const executionsPath = '/api/workflows/executions';

export const plainRoutes = [
  defineRoute({
    method: 'POST',
    path: '/api/workflows/{id}/execute',
    operationId: 'executeOwnWorkflow',
    summary: "Starts a run of the newest version of one's own workflow",
    operation: {
      tags: ['plain'],
      answers: {
        202: bare(plainResult, {
          headers: ['Location'],
          example: {
            execution_id: '550e8400-e29b-41d4-a716-446655440000',
            status: 'pending',
            output_data: null,
            error_message: null,
          },
        }),
      },
      bodyExamples: { execute: { input_data: { message: 'Hello World' } } },
    },
    authentication: 'caller',
    scope: 'execute',
    params: idParam,
    body: {
      schema: z.strictObject({
        input_data: jsonObject.nullish().describe('What mappings read as `$.workflow_input`.'),
      }),
      maxBytes: 2 * limits.maxPayloadBytes,
      isOptional: true,
      whereTo: goesIn('input_data'),
      findOversized: ({ input_data }) => oversizedFields({ input_data }),
    },
    subjectName: 'Workflow',
    async find({ caller, params }, { workflows }) {
      const found = await workflows.maybeFindExecutable(caller, params.id);
      return found?.workflow.owner === caller.userId ? found.workflow : null;
    },
    recall({ caller, params }, services) {
      const seen = recallExecutable(caller, params.id, services);
      return seen?.subject.owner === caller.userId ? seen : null;
    },
    takesIdempotencyKey: true,
    async handle({ caller, subject, body, idempotencyKey, audit, grounds }, { startRun }) {
      const { executionId, isRepeat } = await startRun({
        owner: subject.owner,
        triggeredBy: caller.userId,
        workflow: subject,
        inputData: body.input_data ?? undefined,
        variables: undefined,
        communityId: null,
        metadata: null,
        idempotencyKey,
        audit,
        grounds,
      });
      return {
        status: 202,
        plain: presentPlainResult({
          id: executionId,
          status: 'pending',
          output_data: null,
          error_message: null,
        }),
        headers: { Location: `${executionsPath}/${executionId}` },
        changesNothing: isRepeat,
      };
    },
  }),
  defineRoute({
    method: 'GET',
    path: executionsPath,
    operationId: 'listOwnExecutions',
    summary: "One's own executions, the latest start first",
    operation: { tags: ['plain'], answers: { 200: bare(z.array(plainExecution), { headers: ['Link'] }) } },
    authentication: 'caller',
    query: z.strictObject({
      workflow_id: uuidParameter.optional(),
      status_filter: executionStatusFilter.optional(),
      started_after: moment.optional().describe('From this moment on.'),
      started_before: moment.optional().describe('Before this moment.'),
      q: searchedWords.optional(),
      limit: pageLimit(20, 100),
      offset,
    }),
    async handle({ caller, query }, { executions }) {
      const { workflow_id, status_filter, started_after, started_before, q, limit, offset } = query;
      const { rows, hasMore } = await executions.listOwnExecutions(
        caller,
        {
          workflowId: workflow_id?.toLowerCase(),
          statuses: status_filter,
          startedAfter: started_after,
          startedBefore: started_before,
          mentions: q,
        },
        { limit, offset },
      );
      const items = fittingItems(rows.map(presentPlainExecution));
      const next = {
        workflow_id,
        status_filter: status_filter?.join(',').toLowerCase(),
        started_after,
        started_before,
        q,
        limit,
        offset: offset + items.length,
      };
      const isLast = !hasMore && items.length === rows.length;
      return { status: 200, plain: items, headers: isLast ? {} : nextPageLink(executionsPath, next) };
    },
  }),
  defineRoute({
    method: 'GET',
    path: `${executionsPath}/{id}`,
    operationId: 'getOwnExecution',
    summary: "One's own execution with its data",
    operation: { tags: ['plain'], answers: { 200: bare(plainExecution) }, hasETag: true },
    authentication: 'caller',
    params: executionIdParam,
    subjectName: 'Execution',
    find: ({ caller, params }, { executions }) => executions.maybeFindExecution(caller, params.id, 'own'),
    async handle({ subject }) {
      return { status: 200, plain: presentPlainExecution(subject), isFinal: isClosed(subject) };
    },
  }),
  defineRoute({
    method: 'GET',
    path: `${executionsPath}/{id}/logs`,
    operationId: 'listOwnExecutionLogs',
    summary: "The attempts of an execution's steps, oldest first",
    operation: {
      tags: ['plain'],
      answers: { 200: bare(z.array(logEntry), { headers: ['Link'] }) },
      hasETag: true,
    },
    authentication: 'caller',
    params: executionIdParam,
    query: z.strictObject({
      step_type: parameterText.optional(),
      step_name: parameterText.optional().describe("The step's own name, in whatever branch or item."),
      has_error: flag.optional().describe('Whether the attempt failed.'),
      q: parameterText
        .optional()
        .describe("Text in the agent's log lines or in the error, in whatever case."),
      limit: pageLimit(100, 1_000),
      offset,
    }),
    subjectName: 'Execution',
    find: ({ caller, params }, { executions }) => executions.maybeFindExecution(caller, params.id, 'own'),
    async handle({ params, subject, query }, { nodes }) {
      const { step_type, step_name, has_error, q, limit, offset } = query;
      const filter = { stepType: step_type, stepName: step_name, hasError: has_error, text: q };
      const { rows, hasMore } = await nodes.readLogs(subject.run_id, filter, { limit, offset });
      const items = fittingItems(rows.map(presentLogEntry));
      const isLast = !hasMore && items.length === rows.length;
      const path = `${executionsPath}/${params.id}/logs`;
      return {
        status: 200,
        plain: items,
        headers: isLast ? {} : nextPageLink(path, { ...query, offset: offset + items.length }),
        isFinal: isClosed(subject),
      };
    },
  }),
  defineRoute({
    method: 'POST',
    path: `${executionsPath}/{id}/cancel`,
    operationId: 'cancelOwnExecution',
    summary: "Cancels one's own execution that has not ended",
    operation: {
      tags: ['plain'],
      answers: { 200: bare(plainResult) },
      refusals: { BAD_REQUEST: 'It has ended already.' },
    },
    authentication: 'caller',
    scope: 'execute',
    params: executionIdParam,
    body: { schema: z.strictObject({}), maxBytes: limits.maxPayloadBytes, isOptional: true },
    subjectName: 'Execution',
    find: ({ caller, params }, { executions }) => executions.maybeFindExecutionRun(caller, params.id, 'own'),
    async handle({ caller, params, subject, audit }, { changeRun, executions }) {
      const cancellation = { type: 'cancellation_requested', by: caller.userId, reason: null } as const;
      const changed = await changeRun.change(subject.runId, cancellation, audit);
      if (!changed.ok) throw refusalError(changed.refusal, 'BAD_REQUEST');
      const run = await executions.maybeFindExecution(caller, params.id, 'own');
      if (!run) throw notFound('Execution');
      return { status: 200, plain: presentPlainResult(presentPlainExecution(run)) };
    },
  }),
];
