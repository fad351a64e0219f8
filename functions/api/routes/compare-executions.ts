import * as z from 'zod';
import { uuidParameter } from '../fields/request-fields.ts';
import { count } from '../fields/response-fields.ts';
import { badRequest } from '../http/api-error.ts';
import { envelope } from '../http/operation.ts';
import { defineRoute } from '../http/route.ts';
import { comparison, presentComparison } from '../presenters/comparison.ts';
import { isClosed } from '../presenters/execution.ts';
import { MAX_NODES } from '../presenters/node.ts';

const comparisonMeta = z.strictObject({
  nodes_truncated: z.literal(true).optional().describe('One of them has more nodes than are looked at.'),
  nodes_limit: count.optional(),
});

export const comparisonRoutes = [
  defineRoute({
    method: 'GET',
    path: '/api/v1/workflows/executions/compare',
    operationId: 'compareExecutions',
    summary: 'Two executions beside each other: path, inputs, outputs and durations, node by node',
    operation: {
      tags: ['executions'],
      answers: { 200: envelope(comparison, { meta: comparisonMeta }) },
      hasETag: true,
    },
    authentication: 'caller',
    query: z.strictObject({
      left: uuidParameter.describe('An execution id.'),
      right: uuidParameter.describe('Another.'),
    }),
    async handle({ caller, query }, { executions, nodes }) {
      const [left, right] = await Promise.all(
        [query.left, query.right].map((id) => executions.maybeFindExecution(caller, id, 'visible')),
      );
      if (!left || !right) {
        const message = 'expected an execution that you may see';
        const missing = Object.entries({ left, right }).filter(([, run]) => !run);
        throw badRequest(missing.map(([path]) => ({ path, message })));
      }
      const [leftNodes, rightNodes] = await Promise.all(
        [left, right].map(({ run_id }) => nodes.readNodes(run_id, MAX_NODES)),
      );
      const isTruncated = [leftNodes, rightNodes].some((found) => found!.total > MAX_NODES);
      return {
        status: 200,
        message: 'Executions compared',
        data: presentComparison(
          { run: left, nodes: leftNodes!.nodes },
          { run: right, nodes: rightNodes!.nodes },
        ),
        meta: isTruncated ? { nodes_truncated: true, nodes_limit: MAX_NODES } : {},
        isFinal: isClosed(left) && isClosed(right),
      };
    },
  }),
];
