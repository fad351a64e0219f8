import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { allRoutes } from '../../../functions/api/routes/all-routes.ts';
import type { ApiRequest, ApiResponse } from '../../support/api-event.ts';
import { type ApiHarness, dataPipeline, openApiHarness } from './api-harness.ts';

/*
 * Every endpoint, asked by everybody. A request is right but for who sends it, and each is about things of its own, so that
 * what one caller changes no other finds changed.
 */

let api: ApiHarness;
const tokens: Record<string, string> = {};
beforeAll(async () => {
  api = await openApiHarness({
    databaseUrl: inject('databaseUrl'),
    kafkaBrokers: inject('kafkaBrokers'),
    withTopics: true,
  });
  tokens.expired = (await api.makeApiKey('ann', [], { expiresAt: new Date(Date.now() - 1_000) })).key;
  const revoked = await api.makeApiKey('ann');
  await api.engine.database.execute('update api_keys set revoked_at = now() where id = $1', [revoked.id]);
  tokens.revoked = revoked.key;
});
afterAll(() => api?.close());

/** What ann has, of which val may see and eli may also execute the workflow. */
interface Things {
  readonly workflowId: string;
  readonly permissionId: string;
  readonly runId: string;
  readonly executionId: string;
  readonly closedRunId: string;
  readonly agentId: string;
  readonly apiKeyId: string;
}

let made = 0;
async function makeThings(): Promise<Things> {
  const asAnn = api.as('ann');
  const send = async (method: string, path: string, body?: unknown) => {
    const answer = await asAnn({ method, path, body });
    expect(answer.status).toBeLessThan(300);
    return answer.body;
  };
  const number = made++;
  const workflow = await send('POST', '/api/v1/workflows', { ...dataPipeline, name: `w${number}` });
  const path = `/api/v1/workflows/${workflow.id}`;
  const permission = await send('PUT', `${path}/permissions`, { user_id: 'val' });
  await send('PUT', `${path}/permissions`, { user_id: 'eli', can_execute: true });
  const run = await send('POST', `${path}/execute`, { variables: {}, community_id: 1 });
  const closed = await send('POST', `${path}/execute`, {});
  await send('POST', `/api/v1/runs/${closed.run_id}/cancel`);
  const agent = await send('POST', '/api/v1/agents', {
    name: `a${number}`,
    url: 'https://agents.example.com/',
  });
  const apiKey = await send('POST', '/api/v1/api-keys', { name: `k${number}` });
  return {
    workflowId: workflow.id,
    permissionId: permission.id,
    runId: run.run_id,
    executionId: run.data.execution_id,
    closedRunId: closed.run_id,
    agentId: agent.id,
    apiKeyId: apiKey.id,
  };
}

const callers: Record<string, (request: ApiRequest) => Promise<ApiResponse>> = {
  anonymous: (request) => api.send(request),
  expired: (request) => api.send({ ...request, headers: { 'X-API-Key': tokens.expired ?? '' } }),
  revoked: (request) => api.send({ ...request, headers: { 'X-API-Key': tokens.revoked ?? '' } }),
  owner: (request) => api.as('ann')(request),
  viewer: (request) => api.as('val')(request),
  executor: (request) => api.as('eli')(request),
  stranger: (request) => api.as('sam')(request),
  // Somebody who has a workflow and a community of their own, and asks by key.
  tenant: async (request) => {
    const { key } = await api.makeApiKey('tom', [], { communities: [2] });
    const headers = { 'X-API-Key': key };
    await api.send({ method: 'POST', path: '/api/v1/workflows', headers, body: dataPipeline });
    return api.send({ ...request, headers });
  },
  admin: (request) => api.as('root', { roles: ['admin'] })(request),
};

const OWN = '/api/v1/workflows';
const agentBody = { url: 'https://agents.example.com/' };

interface Case {
  readonly request: (things: Things) => Pick<ApiRequest, 'path' | 'body'>;
  readonly owner: number;
  readonly viewer: number;
  readonly executor: number;
  readonly others: number;
  readonly admin: number;
  /** Where all may ask: in whose answer this stands. */
  readonly finds?: { readonly text: (things: Things) => string; readonly who: readonly string[] };
}

/** A case of `owner, viewer, executor, others, admin`. */
function of(
  statuses: readonly [owner: number, viewer: number, executor: number, others: number, admin: number],
  request: Case['request'],
): Case {
  const [owner, viewer, executor, others, admin] = statuses;
  return { request, owner, viewer, executor, others, admin };
}
const everybody = (status: number, request: Case['request'], finds?: Case['finds']): Case => ({
  ...of([status, status, status, status, status], request),
  ...(finds && { finds }),
});
const VIEWERS = ['owner', 'viewer', 'executor', 'admin'];

const cases: Record<string, Case> = {
  registerWorkflow: everybody(201, () => ({ path: OWN, body: { ...dataPipeline, name: 'mine' } })),
  validateWorkflow: everybody(200, () => ({ path: `${OWN}/validate`, body: dataPipeline })),
  pauseWorkflow: of([200, 403, 403, 404, 200], (my) => ({ path: `${OWN}/${my.workflowId}/pause` })),
  resumeWorkflow: of([200, 403, 403, 404, 200], (my) => ({ path: `${OWN}/${my.workflowId}/resume` })),
  listWorkflows: everybody(200, () => ({ path: `${OWN}?limit=1000` }), {
    text: (my) => my.workflowId,
    who: VIEWERS,
  }),
  getWorkflow: of([200, 200, 200, 404, 200], (my) => ({ path: `${OWN}/${my.workflowId}` })),
  replaceWorkflow: of([200, 403, 403, 404, 200], (my) => ({
    path: `${OWN}/${my.workflowId}`,
    body: { ...dataPipeline, name: `r${my.workflowId}` },
  })),
  deleteWorkflow: of([200, 403, 403, 404, 200], (my) => ({ path: `${OWN}/${my.workflowId}` })),
  putPermission: of([200, 403, 403, 404, 200], (my) => ({
    path: `${OWN}/${my.workflowId}/permissions`,
    body: { user_id: 'new' },
  })),
  grantPermission: of([201, 403, 403, 404, 201], (my) => ({
    path: `${OWN}/${my.workflowId}/permissions`,
    body: { community_id: 3 },
  })),
  listPermissions: of([200, 403, 403, 404, 200], (my) => ({ path: `${OWN}/${my.workflowId}/permissions` })),
  revokePermission: of([200, 403, 403, 404, 200], (my) => ({
    path: `${OWN}/${my.workflowId}/permissions/${my.permissionId}`,
  })),
  executeWorkflow: of([202, 403, 202, 404, 202], (my) => ({ path: `${OWN}/${my.workflowId}/execute` })),
  testWorkflow: of([200, 403, 200, 404, 200], (my) => ({ path: `${OWN}/${my.workflowId}/test` })),
  getExecution: of([200, 200, 200, 404, 200], (my) => ({ path: `${OWN}/executions/${my.executionId}` })),
  cancelExecution: of([200, 403, 200, 404, 200], (my) => ({
    path: `${OWN}/executions/${my.executionId}/cancel`,
  })),
  listExecutions: of([200, 200, 200, 404, 200], (my) => ({
    path: `${OWN}/${my.workflowId}/executions?community_id=1`,
  })),
  getWorkflowMetrics: of([200, 200, 200, 404, 200], (my) => ({ path: `${OWN}/${my.workflowId}/metrics` })),
  getMetrics: of([403, 403, 403, 403, 200], () => ({ path: '/metrics' })),
  compareExecutions: of([200, 200, 200, 400, 200], (my) => ({
    path: `${OWN}/executions/compare?left=${my.executionId}&right=${my.executionId}`,
  })),
  // The plain face is about one's own only, to an admin too.
  executeOwnWorkflow: of([202, 404, 404, 404, 404], (my) => ({
    path: `/api/workflows/${my.workflowId}/execute`,
  })),
  listOwnExecutions: everybody(200, () => ({ path: '/api/workflows/executions' }), {
    text: (my) => my.executionId,
    who: ['owner'],
  }),
  getOwnExecution: of([200, 404, 404, 404, 404], (my) => ({
    path: `/api/workflows/executions/${my.executionId}`,
  })),
  listOwnExecutionLogs: of([200, 404, 404, 404, 404], (my) => ({
    path: `/api/workflows/executions/${my.executionId}/logs`,
  })),
  cancelOwnExecution: of([200, 404, 404, 404, 404], (my) => ({
    path: `/api/workflows/executions/${my.executionId}/cancel`,
  })),
  listRuns: everybody(200, () => ({ path: '/api/v1/runs?limit=10' }), {
    text: (my) => my.runId,
    who: VIEWERS,
  }),
  getRun: of([200, 200, 200, 404, 200], (my) => ({ path: `/api/v1/runs/${my.runId}` })),
  listSteps: of([200, 200, 200, 404, 200], (my) => ({ path: `/api/v1/runs/${my.runId}/steps` })),
  cancelRun: of([200, 403, 200, 404, 200], (my) => ({ path: `/api/v1/runs/${my.runId}/cancel` })),
  retryRun: of([202, 403, 202, 404, 202], (my) => ({ path: `/api/v1/runs/${my.closedRunId}/retry` })),
  pauseRun: of([200, 403, 200, 404, 200], (my) => ({ path: `/api/v1/runs/${my.runId}/pause` })),
  resumeRun: of([200, 403, 200, 404, 200], (my) => ({ path: `/api/v1/runs/${my.runId}/resume` })),
  sendSignal: of([202, 403, 202, 404, 202], (my) => ({ path: `/api/v1/runs/${my.runId}/signals/go` })),
  getStatusOfRuns: everybody(
    200,
    (my) => ({ path: '/api/v1/runs/batch-status', body: { ids: [my.closedRunId] } }),
    { text: (my) => my.workflowId, who: VIEWERS },
  ),
  cancelRuns: everybody(
    200,
    (my) => ({
      path: '/api/v1/runs/bulk-cancel',
      body: { filter: { workflow_id: my.workflowId } },
    }),
    { text: () => '"matched":1', who: ['owner', 'executor', 'admin'] },
  ),
  registerAgent: everybody(201, (my) => ({
    path: '/api/v1/agents',
    body: { ...agentBody, name: `of-${my.workflowId}` },
  })),
  listAgents: everybody(200, () => ({ path: '/api/v1/agents?limit=1000' }), {
    text: (my) => my.agentId,
    who: ['owner', 'admin'],
  }),
  getAgent: of([200, 404, 404, 404, 200], (my) => ({ path: `/api/v1/agents/${my.agentId}` })),
  updateAgent: of([200, 404, 404, 404, 200], (my) => ({
    path: `/api/v1/agents/${my.agentId}`,
    body: agentBody,
  })),
  deleteAgent: of([200, 404, 404, 404, 200], (my) => ({ path: `/api/v1/agents/${my.agentId}` })),
  createApiKey: everybody(201, () => ({ path: '/api/v1/api-keys', body: { name: 'mine' } })),
  listApiKeys: everybody(200, () => ({ path: '/api/v1/api-keys?limit=1000' }), {
    text: (my) => my.apiKeyId,
    who: ['owner'],
  }),
  getApiKey: of([200, 404, 404, 404, 200], (my) => ({ path: `/api/v1/api-keys/${my.apiKeyId}` })),
  revokeApiKey: of([200, 404, 404, 404, 200], (my) => ({ path: `/api/v1/api-keys/${my.apiKeyId}` })),
  listAudit: everybody(200, () => ({ path: '/api/v1/audit' }), {
    text: (my) => my.apiKeyId,
    who: ['owner', 'admin'],
  }),
};

const guarded = allRoutes.filter(({ authentication }) => authentication === 'caller');

it('the matrix has every endpoint that asks who calls', () => {
  expect(Object.keys(cases).sort()).toEqual(guarded.map(({ operationId }) => operationId).sort());
});

describe.each(guarded.map((route) => [route.operationId, route] as const))(
  '%s',
  (operationId, { method }) => {
    it.each(Object.keys(callers))('by %s', async (who) => {
      const { request, finds, ...expected } = cases[operationId]!;
      const things = await makeThings();
      const { status, body } = await callers[who]!({ method, ...request(things) });
      const isOther = who === 'stranger' || who === 'tenant';
      const right = isOther ? expected.others : (expected[who as keyof typeof expected] ?? 401);
      expect(status).toBe(right);
      if (status === 403) expect(body.error_code).toBe('PERMISSION_DENIED');
      if (finds && status < 300) {
        expect(JSON.stringify(body).includes(finds.text(things))).toBe(finds.who.includes(who));
      }
    });
  },
);
