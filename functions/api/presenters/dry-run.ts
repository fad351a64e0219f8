import type { DryRunReport } from '../../../shared/application/dry-run/dry-run.ts';
import type { TracedNode } from '../../../shared/application/dry-run/trace.ts';
import type { Plan } from '../../../shared/engine/plan.ts';
import { MAX_NODES } from './node.ts';

/** JSON text of the trace, in bytes: an answer of a Lambda is at most 6 MB, and escaping can double a body. */
const MAX_TRACE_BYTES = 2_000_000;
const MAX_SHORT_MESSAGE_LENGTH = 200;

/** A test's report as workflow-execution-api-keys has it, and beside that what `getExecution` says of a run. All times are virtual. */
export function presentDryRun(workflowId: string, report: DryRunReport) {
  const { executionId, plan, run, variables, nodes, nodesSkipped } = report;
  const trace = presentTrace(nodes, plan);
  const branches = report.branchesNotTaken.slice(0, MAX_NODES);
  const unusedMocks = report.unusedMocks.slice(0, MAX_NODES);
  const seconds = secondsBetween(run.startedAt, run.completedAt) ?? 0;
  const data = {
    execution_id: executionId,
    workflow_id: workflowId,
    test_mode: true,
    status: run.status.toLowerCase(),
    execution_time_seconds: seconds,
    execution_path: trace.map(({ node_id }) => node_id),
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
  return nodes.slice(0, MAX_NODES).map((node) => {
    const presented = presentNode(node, plan);
    bytes += Buffer.byteLength(JSON.stringify(presented));
    return bytes <= MAX_TRACE_BYTES ? presented : presentNode(withoutData(node), plan, true);
  });
}

function presentNode(node: TracedNode, plan: Plan, isDataOmitted = false) {
  const { stepId, status, startedAt, completedAt, inputData, outputData, error } = node;
  const step = plan.steps.get(stepId);
  return {
    node_id: stepId,
    status: status.toLowerCase(),
    started_at: isoOf(startedAt),
    completed_at: isoOf(completedAt),
    duration_seconds: secondsBetween(startedAt, completedAt),
    input: inputData ?? {},
    output: status === 'COMPLETED' ? { result: outputData } : {},
    output_source: node.source,
    retry_count: node.attempts.length - 1,
    attempts: isDataOmitted ? [] : node.attempts.map(presentAttempt),
    logs: node.logs,
    error: error?.message ?? null,
    error_type: error?.code ?? null,
    metadata: {
      step_name: step?.name ?? stepId,
      step_type: step?.label ?? null,
      visit: node.visit,
      scope: node.scope,
      ...(isDataOmitted && { data_omitted: true }),
    },
  };
}

function presentAttempt({ attempt, status, startedAt, completedAt, error }: TracedNode['attempts'][number]) {
  return {
    attempt,
    status: status.toLowerCase(),
    started_at: isoOf(startedAt),
    completed_at: isoOf(completedAt),
    error: error?.message ?? null,
    error_type: error?.code ?? null,
  };
}

function withoutData(node: TracedNode): TracedNode {
  const { error } = node;
  const message = error?.message.slice(0, MAX_SHORT_MESSAGE_LENGTH).toWellFormed();
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
