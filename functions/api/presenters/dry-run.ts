import * as z from 'zod';
import type { DryRunReport } from '../../../shared/application/dry-run/dry-run.ts';
import type { TracedNode } from '../../../shared/application/dry-run/trace.ts';
import type { Plan } from '../../../shared/engine/plan.ts';
import { storableText } from '../../../shared/engine/storable-text.ts';
import {
  attemptStatus,
  count,
  json,
  seconds,
  textOrNull,
  timestamp,
  uuid,
} from '../fields/response-fields.ts';
import { MAX_NODES, MAX_NODES_BYTES } from './node.ts';
import { nodeKeys, placeFields, presentPlace } from './place.ts';
import { warningsMeta } from './warnings.ts';

const timeFields = {
  started_at: timestamp.nullable(),
  completed_at: timestamp.nullable(),
};

const tracedAttempt = z
  .strictObject({
    attempt: count.describe('From 1.').meta({ examples: [1] }),
    status: attemptStatus,
    ...timeFields,
    error: textOrNull,
    error_type: textOrNull,
  })
  .meta({ id: 'TestedAttempt' });

const tracedNode = z
  .strictObject({
    node_id: z.string().meta({ examples: ['node1'] }),
    key: z
      .string()
      .describe('As in `execution_path`: `each[3].work`, `work#2`.')
      .meta({ examples: ['node1'] }),
    status: attemptStatus,
    ...timeFields,
    duration_seconds: seconds.nullable(),
    input: json,
    output: z
      .strictObject({ result: json.optional() })
      .describe('By port; empty where it did not complete.')
      .meta({ examples: [{ result: { message: 'success' } }] }),
    output_source: z
      .enum(['mock', 'example', 'echo'])
      .nullable()
      .describe('Whose answer it is; null where no agent was asked.'),
    retry_count: count.meta({ examples: [0] }),
    attempts: z.array(tracedAttempt),
    logs: z.array(z.string()).meta({ examples: [['Node execution log 1']] }),
    error: textOrNull,
    error_type: textOrNull,
    metadata: z.strictObject({
      step_name: z.string().meta({ examples: ['node1'] }),
      step_type: z
        .string()
        .nullable()
        .meta({ examples: ['agent'] }),
      visit: count.meta({ examples: [1] }),
      scope: z.string().meta({ examples: [''] }),
      branch: placeFields.branch.optional(),
      item: placeFields.item.optional(),
      data_omitted: z.literal(true).optional().describe('The trace would be more than an answer can carry.'),
    }),
  })
  .meta({ id: 'TestedNode' });

/** All times are virtual: those at which it would have been. */
export const workflowTest = z
  .strictObject({
    execution_id: uuid.describe('Of no run that is stored.'),
    workflow_id: uuid,
    test_mode: z.literal(true),
    status: z.enum(['completed', 'failed', 'cancelled']),
    execution_time_seconds: seconds,
    execution_path: z.array(z.string()).meta({ examples: [['node1']] }),
    trace: z.array(tracedNode),
    branches_not_taken: z
      .array(z.strictObject({ from: z.string(), to: z.string() }))
      .describe('The ways on, from a step to a step, that the run did not go.')
      .meta({ examples: [[]] }),
    unused_mocks: z
      .array(z.string())
      .describe('The steps that were not asked.')
      .meta({ examples: [[]] }),
    final_variables: json,
    final_output: json,
    error_message: textOrNull,
    error_node_id: textOrNull,
    summary: z.strictObject({
      nodes_executed: count,
      nodes_failed: count.meta({ examples: [0] }),
      nodes_skipped: count.meta({ examples: [0] }),
      total_duration: seconds,
      passed: z.boolean(),
    }),
  })
  .meta({ id: 'WorkflowTest' });

export const workflowTestMeta = warningsMeta.extend({
  truncated: z.array(z.string()).optional().describe('The lists that are longer than they are shown.'),
  limit: count.optional(),
});

const MAX_SHORT_MESSAGE_LENGTH = 200;

/** A test's report as workflow-execution-api-keys has it, and beside that what `getExecution` says of a run. All times are virtual. */
export function presentDryRun(workflowId: string, report: DryRunReport) {
  const { executionId, plan, run, variables, nodes, nodesSkipped } = report;
  const trace = presentTrace(nodes, plan);
  const branches = report.branchesNotTaken.slice(0, MAX_NODES);
  const unusedMocks = report.unusedMocks.slice(0, MAX_NODES);
  const seconds = secondsBetween(run.startedAt, run.completedAt) ?? 0;
  const data: z.infer<typeof workflowTest> = {
    execution_id: executionId,
    workflow_id: workflowId,
    test_mode: true,
    status: run.status.toLowerCase() as z.infer<typeof workflowTest>['status'],
    execution_time_seconds: seconds,
    execution_path: trace.filter(({ started_at }) => started_at !== null).map(({ key }) => key),
    trace,
    branches_not_taken: branches,
    unused_mocks: unusedMocks,
    final_variables: variables ?? {},
    final_output: run.outputData,
    error_message: run.error?.message ?? null,
    error_node_id: run.error?.stepId ?? null,
    summary: {
      nodes_executed: nodes.filter(({ startedAt }) => startedAt !== null).length,
      nodes_failed: nodes.filter(({ status }) => status === 'FAILED').length,
      nodes_skipped: nodesSkipped,
      total_duration: seconds,
      passed: run.status === 'COMPLETED',
    },
  };
  const truncated = [
    ...(trace.length < nodes.length ? ['trace'] : []),
    ...(branches.length < report.branchesNotTaken.length ? ['branches_not_taken'] : []),
    ...(unusedMocks.length < report.unusedMocks.length ? ['unused_mocks'] : []),
  ];
  return { data, meta: truncated.length > 0 ? { truncated, limit: MAX_NODES } : {} };
}

function presentTrace(nodes: readonly TracedNode[], plan: Plan) {
  let bytes = 0;
  const shown = nodes.slice(0, MAX_NODES);
  const keys = nodeKeys(
    shown.map(({ scope, stepId, visit }) => ({ scope, step_id: stepId, visit })),
    plan.steps.keys(),
  );
  return shown.map((node, place) => {
    const key = keys[place] as string;
    const presented = presentNode(node, key, plan);
    bytes += Buffer.byteLength(JSON.stringify(presented));
    return bytes <= MAX_NODES_BYTES ? presented : presentNode(withoutData(node), key, plan, true);
  });
}

function presentNode(
  node: TracedNode,
  key: string,
  plan: Plan,
  isDataOmitted = false,
): z.infer<typeof tracedNode> {
  const { stepId, status, startedAt, completedAt, inputData, outputData, error } = node;
  const step = plan.steps.get(stepId);
  return {
    node_id: stepId,
    key,
    status: status.toLowerCase() as Lowercase<typeof status>,
    started_at: isoOf(startedAt),
    completed_at: isoOf(completedAt),
    duration_seconds: secondsBetween(startedAt, completedAt),
    input: inputData ?? {},
    output: status === 'COMPLETED' ? { result: outputData } : {},
    output_source: node.source,
    retry_count: node.attempts.length - 1,
    attempts: isDataOmitted ? [] : node.attempts.map(presentAttempt),
    logs: [...node.logs],
    error: error?.message ?? null,
    error_type: error?.code ?? null,
    metadata: {
      step_name: step?.name ?? stepId,
      step_type: step?.label ?? null,
      visit: node.visit,
      scope: node.scope,
      ...(node.scope !== '' && presentPlace(node.scope, plan)),
      ...(isDataOmitted && { data_omitted: true }),
    },
  };
}

function presentAttempt({
  attempt,
  status,
  startedAt,
  completedAt,
  error,
}: TracedNode['attempts'][number]): z.infer<typeof tracedAttempt> {
  return {
    attempt,
    status: status.toLowerCase() as Lowercase<typeof status>,
    started_at: isoOf(startedAt),
    completed_at: isoOf(completedAt),
    error: error?.message ?? null,
    error_type: error?.code ?? null,
  };
}

function withoutData(node: TracedNode): TracedNode {
  const { error } = node;
  const message = error && storableText(error.message, MAX_SHORT_MESSAGE_LENGTH);
  return {
    ...node,
    inputData: null,
    outputData: null,
    logs: [],
    error: error && { ...error, message: message ?? '' },
  };
}

function isoOf(time: number | null): string | null {
  return time === null ? null : new Date(time).toISOString();
}

function secondsBetween(from: number | null, to: number | null): number | null {
  return from === null || to === null ? null : (to - from) / 1_000;
}
