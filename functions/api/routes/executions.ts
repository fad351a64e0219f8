import * as z from 'zod';
import { limits } from '../../../shared/config/limits.ts';
import { type NumberedPage, sortKeys } from '../../../shared/persistence/execution-queries.ts';
import {
  cancelExamples,
  cancelledExample,
  executionExample,
  listedExecutionsExample,
} from '../documents/examples.ts';
import { cancelBody, cancellationOf } from '../fields/cancel-body.ts';
import {
  communityIdParameter,
  executionIdParam,
  executionStatusFilter,
  flag,
  idParam,
  integerParameter,
  moment,
  pageLimit,
  searchedWords,
} from '../fields/request-fields.ts';
import { count } from '../fields/response-fields.ts';
import { notFound } from '../http/api-error.ts';
import { envelope } from '../http/operation.ts';
import { refusalError } from '../http/refusal-error.ts';
import { defineRoute } from '../http/route.ts';
import {
  cancelledExecution,
  execution,
  identityOf,
  isClosed,
  listedExecution,
  presentExecution,
  presentListedExecution,
  presentMetrics,
} from '../presenters/execution.ts';
import { MAX_NODES, presentNodes } from '../presenters/node.ts';
import { isoOf } from '../presenters/times.ts';
import { findChangeableRun } from './find-permitted.ts';

const MAX_PAGE = 999_999_999;

const nodesMeta = z.strictObject({
  node_states_truncated: z.literal(true).optional().describe('There are more nodes than are shown.'),
  node_states_limit: count.optional(),
  nodes_entered: count.optional(),
});

const pagination = z
  .strictObject({
    page: count,
    per_page: count,
    total: count,
    total_pages: count,
    has_next: z.boolean(),
    has_prev: z.boolean(),
  })
  .meta({ id: 'Pagination' });

export const executionRoutes = [
  defineRoute({
    method: 'GET',
    path: '/api/v1/workflows/executions/{id}',
    operationId: 'getExecution',
    summary: 'An execution with the states of its nodes',
    operation: {
      tags: ['executions'],
      answers: { 200: envelope(execution, { meta: nodesMeta, example: executionExample }) },
      hasETag: true,
    },
    authentication: 'caller',
    params: executionIdParam,
    query: z.strictObject({
      include_logs: flag.default(true).describe("The nodes' logs."),
      include_metrics: flag.default(false).describe('Computed from the nodes, which takes longer.'),
    }),
    subjectName: 'Execution',
    find: ({ caller, params }, { executions }) => executions.maybeFindExecution(caller, params.id, 'visible'),
    async handle({ subject, query: { include_logs: withLogs, include_metrics } }, { nodes, findPlan }) {
      const [stored, plan, metrics] = await Promise.all([
        nodes.readNodes(subject.run_id, MAX_NODES),
        findPlan(subject.workflow_version_id),
        include_metrics ? nodes.readNodeMetrics(subject.run_id) : null,
      ]);
      const { isTruncated, ...presented } = presentNodes(stored, plan, {
        status: subject.execution_status,
        withLogs,
      });
      return {
        status: 200,
        message: 'Execution retrieved',
        data: {
          ...presentExecution(subject),
          ...presented,
          ...(metrics && { metrics: presentMetrics(subject, metrics, plan?.steps.size ?? 0, new Date()) }),
        },
        meta: isTruncated
          ? { node_states_truncated: true, node_states_limit: MAX_NODES, nodes_entered: stored.total }
          : {},
        isFinal: isClosed(subject),
      };
    },
  }),
  defineRoute({
    method: 'POST',
    path: '/api/v1/workflows/executions/{id}/cancel',
    operationId: 'cancelExecution',
    summary: 'Cancels an execution that has not ended',
    operation: {
      tags: ['executions'],
      answers: { 200: envelope(cancelledExecution, { example: cancelledExample }) },
      refusals: {
        BAD_REQUEST: 'It has ended already.',
        PERMISSION_DENIED: '`can_execute` on the workflow of this run is needed.',
      },
      bodyExamples: cancelExamples,
    },
    authentication: 'caller',
    scope: 'execute',
    params: executionIdParam,
    body: { schema: cancelBody, maxBytes: limits.maxPayloadBytes, isOptional: true },
    subjectName: 'Execution',
    async find({ caller, params }, services) {
      const found = await services.executions.maybeFindExecutionRun(caller, params.id, 'visible');
      return found && findChangeableRun(caller, found.runId, services);
    },
    async handle({ caller, params, subject, body, audit }, { changeRun, executions }) {
      const changed = await changeRun.change(subject.runId, cancellationOf(caller, body), audit);
      if (!changed.ok) throw refusalError(changed.refusal, 'BAD_REQUEST');
      const run = await executions.maybeFindExecution(caller, params.id, 'visible');
      if (!run) throw notFound('Execution');
      const { execution_id, status } = identityOf(run);
      return {
        status: 200,
        message: 'Execution cancelled successfully',
        data: { execution_id, status, cancelled_at: isoOf(run.cancelled_at) },
      };
    },
  }),
  defineRoute({
    method: 'GET',
    path: '/api/v1/workflows/{id}/executions',
    operationId: 'listExecutions',
    summary: "A workflow's executions in one community",
    operation: {
      tags: ['executions'],
      answers: {
        200: envelope(z.array(listedExecution), {
          meta: z.strictObject({ pagination }),
          example: listedExecutionsExample,
        }),
      },
    },
    authentication: 'caller',
    params: idParam,
    query: z.strictObject({
      community_id: communityIdParameter,
      status: executionStatusFilter.optional(),
      started_after: moment.optional().describe('From this moment on.'),
      started_before: moment.optional().describe('Before this moment.'),
      q: searchedWords.optional(),
      page: integerParameter(1, MAX_PAGE).default(1),
      per_page: pageLimit(20, 100),
      sort_by: z
        .enum(sortKeys, { error: `expected one of ${sortKeys.join(', ')}` })
        .default('start_time')
        .describe('By execution_time, those that have not ended count as the longest.'),
      sort_order: z.enum(['asc', 'desc'], { error: 'expected asc or desc' }).default('desc'),
    }),
    subjectName: 'Workflow',
    find: ({ caller, params }, { workflows }) => workflows.maybeFindRights(caller, params.id),
    async handle({ caller, params, query }, { executions }) {
      const page: NumberedPage = {
        page: query.page,
        perPage: query.per_page,
        sortBy: query.sort_by,
        sortOrder: query.sort_order,
      };
      const { total, items } = await executions.listExecutions(
        caller,
        { workflowId: params.id.toLowerCase(), communityId: query.community_id },
        {
          statuses: query.status,
          startedAfter: query.started_after,
          startedBefore: query.started_before,
          mentions: query.q,
        },
        page,
      );
      return {
        status: 200,
        message: 'Executions retrieved',
        data: items.map(presentListedExecution),
        meta: { pagination: paginationOf(page, total) },
      };
    },
  }),
];

function paginationOf({ page, perPage }: NumberedPage, total: number): z.infer<typeof pagination> {
  const totalPages = Math.ceil(total / perPage);
  return {
    page,
    per_page: perPage,
    total,
    total_pages: totalPages,
    has_next: page < totalPages,
    has_prev: page > 1,
  };
}
