import { randomUUID } from 'node:crypto';
import { definitionExamples } from '../../../functions/api/documents/examples.ts';
import { type ApiThings, COMMUNITY } from '../../support/api-things.ts';
import type { ContractRequest } from '../../support/contract.ts';

const agent = { url: 'https://agents.example.com/' };
const definition = () => ({ ...definitionExamples.pipeline, name: randomUUID() });

function callbackParams({ callbackUrl }: ApiThings) {
  const [step_execution_id = '', token = ''] = new URL(callbackUrl).pathname.split('/').slice(-2);
  return { step_execution_id, token };
}

/** A request that succeeds, of each operation. */
export const requests: Readonly<Record<string, (my: ApiThings) => ContractRequest>> = {
  registerWorkflow: () => ({ body: definition() }),
  validateWorkflow: () => ({ body: definition() }),
  pauseWorkflow: (my) => ({ params: { id: my.workflowId } }),
  resumeWorkflow: (my) => ({ params: { id: my.workflowId } }),
  listWorkflows: () => ({ query: '?limit=2' }),
  getWorkflow: (my) => ({ params: { id: my.workflowId } }),
  replaceWorkflow: (my) => ({ params: { id: my.workflowId }, body: definition() }),
  deleteWorkflow: (my) => ({ params: { id: my.workflowId } }),
  getWorkflowMetrics: (my) => ({ params: { id: my.workflowId }, query: '?version=1' }),
  putPermission: (my) => ({ params: { id: my.workflowId }, body: { user_id: 'eli', can_execute: true } }),
  grantPermission: (my) => ({ params: { id: my.workflowId }, body: { community_id: 3 } }),
  listPermissions: (my) => ({ params: { id: my.workflowId } }),
  revokePermission: (my) => ({ params: { id: my.workflowId, permission_id: my.permissionId } }),
  executeWorkflow: (my) => ({
    params: { id: my.workflowId },
    body: { input_data: { message: 'Hello' } },
    headers: { 'Idempotency-Key': randomUUID() },
  }),
  testWorkflow: (my) => ({ params: { id: my.workflowId }, body: { input_data: { message: 'Hello' } } }),
  getExecution: (my) => ({ params: { id: my.endedExecutionId }, query: '?include_metrics=true' }),
  cancelExecution: (my) => ({ params: { id: my.executionId }, body: { reason: 'not needed' } }),
  listExecutions: (my) => ({ params: { id: my.workflowId }, query: `?community_id=${COMMUNITY}` }),
  compareExecutions: (my) => ({ query: `?left=${my.endedExecutionId}&right=${my.endedExecutionId}` }),
  executeOwnWorkflow: (my) => ({ params: { id: my.workflowId }, body: { input_data: { message: 'Hello' } } }),
  listOwnExecutions: () => ({ query: '?limit=1' }),
  getOwnExecution: (my) => ({ params: { id: my.endedExecutionId } }),
  listOwnExecutionLogs: (my) => ({ params: { id: my.endedExecutionId }, query: '?limit=1' }),
  cancelOwnExecution: (my) => ({ params: { id: my.executionId } }),
  listRuns: () => ({ query: '?limit=2' }),
  getRun: (my) => ({ params: { run_id: my.endedRunId } }),
  listSteps: (my) => ({ params: { run_id: my.endedRunId } }),
  cancelRun: (my) => ({ params: { run_id: my.runId } }),
  pauseRun: (my) => ({ params: { run_id: my.runId } }),
  resumeRun: (my) => ({ params: { run_id: my.runId } }),
  sendSignal: (my) => ({
    params: { run_id: my.runId, name: 'approved' },
    body: { payload: { approved: true }, id: 'approval-7' },
  }),
  retryRun: (my) => ({ params: { run_id: my.endedRunId } }),
  getStatusOfRuns: (my) => ({ body: { ids: [my.runId, my.endedExecutionId, 'nothing'] } }),
  cancelRuns: (my) => ({ body: { filter: { workflow_id: my.workflowId }, dry_run: true } }),
  registerAgent: () => ({ body: { ...agent, name: randomUUID().slice(9), example_output: { rows: 3 } } }),
  listAgents: () => ({}),
  getAgent: (my) => ({ params: { agent: my.agentName } }),
  updateAgent: (my) => ({ params: { agent: my.agentName }, body: agent }),
  deleteAgent: (my) => ({ params: { agent: my.agentName } }),
  createApiKey: () => ({ body: { name: 'ci' } }),
  listApiKeys: () => ({}),
  getApiKey: (my) => ({ params: { id: my.apiKeyId } }),
  revokeApiKey: (my) => ({ params: { id: my.apiKeyId } }),
  listAudit: () => ({ query: '?limit=5' }),
  completeCallback: (my) => ({ params: callbackParams(my), body: { rows: 3 } }),
  failCallback: (my) => ({ params: callbackParams(my), body: { message: 'It broke' } }),
  heartbeatCallback: (my) => ({ params: callbackParams(my) }),
  getHealth: () => ({}),
  getMetrics: () => ({}),
  getOpenApi: () => ({}),
  getDocs: () => ({}),
  getWorkflowSchema: () => ({}),
};
