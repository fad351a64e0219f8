import { isDeepStrictEqual } from 'node:util';
import * as z from 'zod';
import type { ExecutionDetails } from '../../../shared/persistence/execution-queries.ts';
import type { Node } from '../../../shared/persistence/node-queries.ts';
import { attemptStatus, count, seconds, textOrNull } from '../fields/response-fields.ts';
import { identityFields, identityOf, timeFields, timesOf } from './execution.ts';
import { nodeKeys } from './place.ts';
import { roundedSeconds, secondsBetween } from './times.ts';

const side = z
  .strictObject({
    ...identityFields,
    version: count.nullable(),
    ...timeFields,
    error_message: textOrNull,
    error_node_id: textOrNull,
  })
  .meta({ id: 'ComparedExecution' });

const comparedNode = z
  .strictObject({
    status: attemptStatus,
    duration_seconds: seconds.nullable(),
    retry_count: count.meta({ examples: [0] }),
    error: textOrNull,
    error_type: textOrNull,
  })
  .meta({ id: 'ComparedNode' });

const sameOrUnknown = z
  .boolean()
  .nullable()
  .describe('Null where a side is missing, or its data is more than can be looked at here.');

const pair = z
  .strictObject({
    node_id: z.string().meta({ examples: ['extract'] }),
    key: z
      .string()
      .describe('Of `node_states`, and in `path`.')
      .meta({ examples: ['each[3].extract'] }),
    scope: z.string().meta({ examples: [''] }),
    visit: count.meta({ examples: [1] }),
    left: comparedNode.nullable(),
    right: comparedNode.nullable(),
    same_status: z.boolean(),
    same_input: sameOrUnknown,
    same_output: sameOrUnknown,
    duration_difference_seconds: seconds.nullable().describe('Right less left.'),
  })
  .meta({ id: 'ComparedNodes' });

export const comparison = z
  .strictObject({
    left: side,
    right: side,
    same_workflow: z.boolean(),
    same_status: z.boolean(),
    same_input: z.boolean(),
    same_output: z.boolean(),
    execution_time_difference_seconds: seconds.nullable().describe('Right less left.'),
    path: z.strictObject({
      same: z.boolean(),
      left: z.array(z.string()),
      right: z.array(z.string()),
      differs_at: count
        .nullable()
        .describe('The place, from 0, of the first node that is not the same in both.')
        .meta({ examples: [null] }),
    }),
    nodes: z.array(pair),
  })
  .meta({ id: 'Comparison' });

export interface Compared {
  readonly run: ExecutionDetails;
  /** In the order in which they were entered. */
  readonly nodes: readonly Node[];
}

/** Two executions beside each other: what each did, node by node, and where they differ. Durations differ by right less left. */
export function presentComparison(left: Compared, right: Compared): z.infer<typeof comparison> {
  const stepIds = new Set([...left.nodes, ...right.nodes].map(({ step_id }) => step_id));
  const [leftPath, rightPath] = [pathOf(left, stepIds), pathOf(right, stepIds)];
  const leftNodes = new Map(left.nodes.map((node) => [identify(node), node]));
  const rightNodes = new Map(right.nodes.map((node) => [identify(node), node]));
  const compared = [...new Map([...leftNodes, ...rightNodes])];
  const keys = nodeKeys(
    compared.map(([, node]) => node),
    stepIds,
  );
  const nodes = compared.map(([identity], place) =>
    presentPair(keys[place] as string, leftNodes.get(identity), rightNodes.get(identity)),
  );
  const [leftRun, rightRun] = [presentSide(left.run), presentSide(right.run)];
  return {
    left: leftRun,
    right: rightRun,
    same_workflow: leftRun.workflow_id === rightRun.workflow_id,
    same_status: leftRun.status === rightRun.status,
    same_input: isDeepStrictEqual(inputOf(left.run), inputOf(right.run)),
    same_output: isDeepStrictEqual(left.run.output_data, right.run.output_data),
    execution_time_difference_seconds: difference(
      leftRun.execution_time_seconds,
      rightRun.execution_time_seconds,
    ),
    path: {
      same: isDeepStrictEqual(leftPath, rightPath),
      left: leftPath,
      right: rightPath,
      differs_at: differsAt(leftPath, rightPath),
    },
    nodes,
  };
}

function presentSide(run: ExecutionDetails): z.infer<typeof side> {
  const { version, error_message, error_step_id } = run;
  return { ...identityOf(run), version, ...timesOf(run), error_message, error_node_id: error_step_id };
}

function presentPair(nodeKey: string, left: Node | undefined, right: Node | undefined): z.infer<typeof pair> {
  const { step_id, scope, visit } = (left ?? right) as Node;
  const [leftNode, rightNode] = [left ? presentNode(left) : null, right ? presentNode(right) : null];
  return {
    node_id: step_id,
    key: nodeKey,
    scope,
    visit,
    left: leftNode,
    right: rightNode,
    same_status: leftNode?.status === rightNode?.status,
    same_input: sameData(left, right, 'input_data'),
    same_output: sameData(left, right, 'output_data'),
    duration_difference_seconds: difference(leftNode?.duration_seconds, rightNode?.duration_seconds),
  };
}

function presentNode(node: Node): z.infer<typeof comparedNode> {
  return {
    status: node.status.toLowerCase() as Lowercase<Node['status']>,
    duration_seconds: secondsBetween(node.started_at, node.completed_at),
    retry_count: node.attempts - 1,
    error: node.error_message,
    error_type: node.error_code,
  };
}

/** Null where a side is missing, or its data is more than can be looked at here. */
function sameData(left: Node | undefined, right: Node | undefined, field: 'input_data' | 'output_data') {
  if (!left || !right || left.is_data_omitted || right.is_data_omitted) return null;
  return isDeepStrictEqual(left[field], right[field]);
}

function inputOf({ input_data, variables }: ExecutionDetails) {
  return input_data ?? variables;
}

function pathOf({ nodes }: Compared, stepIds: ReadonlySet<string>): string[] {
  return nodeKeys(
    nodes.filter(({ started_at }) => started_at !== null),
    stepIds,
  );
}

function differsAt(left: readonly string[], right: readonly string[]): number | null {
  const place = Array.from({ length: Math.max(left.length, right.length) }).findIndex(
    (_, i) => left[i] !== right[i],
  );
  return place < 0 ? null : place;
}

function identify({ scope, step_id, visit }: Node): string {
  return JSON.stringify([scope, step_id, visit]);
}

function difference(left: number | null | undefined, right: number | null | undefined): number | null {
  if (typeof left !== 'number' || typeof right !== 'number') return null;
  return roundedSeconds(right - left);
}
