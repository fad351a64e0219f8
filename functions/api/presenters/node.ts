import * as z from 'zod';
import type { Plan } from '../../../shared/engine/plan.ts';
import type { Node } from '../../../shared/persistence/node-queries.ts';
import type { ExecutionStatus } from '../../../shared/persistence/run-filter.ts';
import { count, json, jsonRecord, textOrNull, timestamp } from '../fields/response-fields.ts';
import { nodeKeys, presentPlace } from './place.ts';
import { isoOf } from './times.ts';

/** One answer shows no more nodes than these, and says so. */
export const MAX_NODES = 1_000;

/** JSON text of all nodes, in bytes: an answer of a Lambda is at most 6 MB, and escaping can double a body. */
export const MAX_NODES_BYTES = 2_000_000;

const nodeStatus = z
  .enum(['pending', 'ready', 'running', 'completed', 'failed', 'skipped', 'cancelled', 'paused'])
  .meta({ id: 'NodeStatus', examples: ['completed'] });

const nodeState = z
  .strictObject({
    node_id: z.string().meta({ examples: ['trigger_node'] }),
    status: nodeStatus,
    started_at: timestamp.nullable(),
    completed_at: timestamp.nullable(),
    input_data: json.meta({ examples: [{}] }),
    output_data: z
      .strictObject({
        result: z
          .strictObject({ port_name: z.literal('result'), data: json, timestamp: timestamp.nullable() })
          .optional(),
      })
      .describe('By port; empty where there is none.'),
    retry_count: count.meta({ examples: [0] }),
    logs: z.array(z.string()).meta({ examples: [['Node execution started']] }),
    error: textOrNull,
    error_type: textOrNull,
    metadata: jsonRecord.meta({ examples: [{}] }),
  })
  .meta({ id: 'NodeState' });

export const nodeFields = {
  execution_path: z
    .array(z.string())
    .describe('Keys of `node_states`, in the order in which the steps were started.'),
  node_states: z
    .record(z.string(), nodeState)
    .describe(
      "By the step's id; what a loop visits again ends in its visit (`work#2`), what stands in a branch or item begins with that (`both[left].fetch`, `each[3].work`). Steps that were not entered are there too.",
    ),
};

type NodeStatus = z.infer<typeof nodeStatus>;
type NodeState = z.infer<typeof nodeState>;

export interface PresentedNodes extends z.infer<z.ZodObject<typeof nodeFields>> {
  readonly isTruncated: boolean;
}

/**
 * The nodes that were entered, in that order, then the steps that were not.
 * @param nodes at most `MAX_NODES` of the `total`
 * @param plan null: another producer's run has none
 */
export function presentNodes(
  { nodes, total }: { readonly nodes: readonly Node[]; readonly total: number },
  plan: Plan | null,
  { status, withLogs }: { readonly status: ExecutionStatus; readonly withLogs: boolean },
): PresentedNodes {
  const states = new Map<string, NodeState>();
  const stepIds = [...(plan?.steps.keys() ?? [])];
  const keys = nodeKeys(nodes, stepIds);
  const entered = new Set(nodes.map(({ step_id }) => step_id));
  const setting = { run: status, plan, withLogs };
  let bytes = 0;
  nodes.forEach((node, place) => {
    let state = presentNode(node, setting);
    bytes += Buffer.byteLength(JSON.stringify(state));
    if (bytes > MAX_NODES_BYTES) state = presentNode(withoutData(node), setting);
    states.set(keys[place] as string, state);
  });
  // Beyond the limit nobody knows which steps were entered.
  const rest = total > nodes.length ? [] : stepIds.filter((stepId) => !entered.has(stepId));
  const neverEntered = rest.slice(0, Math.max(MAX_NODES - states.size, 0));
  for (const stepId of neverEntered) states.set(stepId, neverEnteredState(stepId, status));
  return {
    execution_path: keys.filter((_, place) => nodes[place]?.started_at !== null),
    node_states: Object.fromEntries(states),
    isTruncated: total > nodes.length || rest.length > neverEntered.length,
  };
}

interface Setting {
  readonly run: ExecutionStatus;
  readonly plan: Plan | null;
  readonly withLogs: boolean;
}

function presentNode(node: Node, { run, plan, withLogs }: Setting): NodeState {
  const { step_id, output_data, completed_at } = node;
  const timestamp = isoOf(completed_at);
  return {
    node_id: step_id,
    status: statusOf(node, run),
    started_at: isoOf(node.started_at),
    completed_at: timestamp,
    input_data: node.input_data ?? {},
    output_data:
      output_data === null ? {} : { result: { port_name: 'result', data: output_data, timestamp } },
    retry_count: node.attempts - 1,
    logs: withLogs ? [...(node.logs ?? [])] : [],
    error: node.error_message,
    error_type: node.error_code,
    metadata: {
      step_name: node.step_name,
      step_type: node.step_type,
      agent_name: node.agent_name || null,
      visit: node.visit,
      scope: node.scope,
      ...(node.scope !== '' && presentPlace(node.scope, plan)),
      ...(node.is_data_omitted && { data_omitted: true }),
    },
  };
}

function withoutData(node: Node): Node {
  return { ...node, input_data: null, output_data: null, logs: null, is_data_omitted: true };
}

function statusOf({ status, is_waiting }: Node, run: ExecutionStatus): NodeStatus {
  if (status !== 'PENDING') return status.toLowerCase() as Lowercase<typeof status>;
  if (is_waiting) return 'pending';
  return run === 'PAUSED' ? 'paused' : 'ready';
}

function neverEnteredState(stepId: string, run: ExecutionStatus): NodeState {
  const isOpen = run === 'PENDING' || run === 'RUNNING' || run === 'PAUSED';
  return {
    node_id: stepId,
    status: isOpen ? 'pending' : 'skipped',
    started_at: null,
    completed_at: null,
    input_data: {},
    output_data: {},
    retry_count: 0,
    logs: [],
    error: null,
    error_type: null,
    metadata: {},
  };
}
