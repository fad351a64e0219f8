import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { openApiDocument } from '../../../functions/api/documents/openapi-document.ts';
import type { OpenApiDocument } from '../../../functions/api/documents/openapi-types.ts';
import { type AnyRoute, neededScopeOf } from '../../../functions/api/http/route.ts';
import { allRoutes } from '../../../functions/api/routes/all-routes.ts';
import { recordTick } from '../../../shared/persistence/timekeeper-tick.ts';
import { type ApiThings, addSlowAgent, COMMUNITY, makeApiThings } from '../../support/api-things.ts';
import { startApiWithoutDatabase } from '../../support/api-without-database.ts';
import { type Contract, type ContractRequest, openContract } from '../../support/contract.ts';
import { makeApiKey } from '../../support/make-api-key.ts';
import { type RunStack, startRunStack } from '../../support/run-stack.ts';
import { requests } from './contract-requests.ts';

/*
 * Every operation of the OpenAPI document on the running stack, with success and with its errors. Each answer is held to the
 * document: status, headers, media type, and a body without a field that is not documented.
 */

let stack: RunStack;
let contract: Contract;
const keys: Record<string, string> = {};

beforeAll(async () => {
  stack = await startRunStack({ databaseUrl: inject('databaseUrl'), kafkaBrokers: inject('kafkaBrokers') });
  await addSlowAgent(stack);
  keys.owner = await makeApiKey(stack.database, 'ann', { communities: [COMMUNITY] });
  keys.reader = await makeApiKey(stack.database, 'ann', { scopes: ['read'] });
  keys.executor = await makeApiKey(stack.database, 'ann', { scopes: ['execute'] });
  keys.admin = await makeApiKey(stack.database, 'root', { roles: ['admin'] });
  // Of somebody else: what is let through before the limit is reached changes nothing of ann's.
  keys.hurried = await makeApiKey(stack.database, 'tom', { tier: 'standard' });
  const response = await fetch(`${stack.url}/openapi.json`);
  contract = openContract((await response.json()) as OpenApiDocument, stack.url);
});
afterAll(() => stack?.close());

const DOCUMENTS = ['getOpenApi', 'getDocs', 'getWorkflowSchema'];
const document = openApiDocument(allRoutes, 'http://127.0.0.1');
const operations = allRoutes.map((route) => {
  const operation = document.paths[route.path]![route.method.toLowerCase()]!;
  const statuses = Object.keys(operation.responses).map(Number);
  return { id: route.operationId, route, operation, statuses };
});
/** Those that document an answer, for `it.each`. */
const answering = (status: number) =>
  operations.flatMap((one) => (one.statuses.includes(status) ? [[one.id, one] as const] : []));

const as = (name: string, request: ContractRequest = {}): ContractRequest => ({
  ...request,
  headers: { 'X-API-Key': keys[name] ?? '', ...request.headers },
});

/** Who may send a request that is right. */
const senderOf = (id: string) => (id === 'getMetrics' ? 'admin' : 'owner');

/** A request that is right, about things of its own. */
const right = async (id: string): Promise<ContractRequest> => {
  const request = requests[id];
  if (!request) throw new Error(`No request of ${id}`);
  return request(await makeApiThings(stack));
};

/** Of things that are not there; what is everybody's is asked for what is not. */
const nothing = ({ path, authentication }: AnyRoute): ContractRequest => ({
  params: Object.fromEntries([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => [name, randomUUID()])),
  ...(authentication === 'optional' && { query: '?deep=true' }),
});

it('there is a request of every operation', () => {
  expect(Object.keys(requests).sort()).toEqual(operations.map(({ id }) => id).sort());
});

describe('success', () => {
  it.each(operations.map((one) => [one.id, one] as const))('of %s', async (id, { statuses, route }) => {
    const [status = 0] = statuses.filter((one) => one < 300);
    const request = as(senderOf(id), await right(id));
    await contract.call(id, request, status);
    if (route.method === 'GET') await contract.call(id, { ...request, method: 'HEAD' }, status);
  });

  it.each(answering(304))('of %s need not be sent again', async (id) => {
    const request = as('owner', await right(id));
    const { headers } = await contract.call(id, request, 200);
    const again = { ...request.headers, 'If-None-Match': headers.get('etag') ?? '' };
    await contract.call(id, { ...request, headers: again }, 304);
  });

  it.each(
    operations.flatMap(({ id, operation }) => {
      const examples = operation.requestBody?.content['application/json']?.examples ?? {};
      return Object.entries(examples).map(([name, { value }]) => [id, name, value] as const);
    }),
  )('of %s with the example %s', async (id, _name, body) => {
    const { statuses, operation } = operations.find((one) => one.id === id)!;
    const { params } = await right(id);
    const status = statuses.find((one) => one < 300)!;
    // The plain face is about one's own; elsewhere an admin may send each, and has none of the names yet.
    const sender = operation.tags.includes('plain') ? 'owner' : 'admin';
    await contract.call(id, as(sender, { ...(params && { params }), body }), status);
  });
});

it('deep health is an admin’s, and says what is over its threshold', async () => {
  const deep = as('admin', { query: '?deep=true' });
  const { text } = await contract.call('getHealth', deep, 503);
  expect(JSON.parse(text).details.timekeeper_tick_age_seconds.is_over).toBe(true);
  await recordTick(stack.database);
  await contract.call('getHealth', deep, 200);
});

it('lists of runs are searched', async () => {
  const { workflowId } = await makeApiThings(stack);
  for (const [id, request] of [
    ['listRuns', {}],
    ['listOwnExecutions', {}],
    ['listExecutions', { params: { id: workflowId } }],
  ] as const) {
    const query = `?q=nothing+of+this${id === 'listExecutions' ? `&community_id=${COMMUNITY}` : ''}`;
    const { text } = await contract.call(id, as('owner', { ...request, query }), 200);
    const body = JSON.parse(text);
    expect(Array.isArray(body) ? body : body.data).toHaveLength(0);
  }
});

describe('a run that is', () => {
  const execute = async (workflowId: string) => {
    const body = { variables: { message: 'Hello' }, community_id: COMMUNITY };
    const { text } = await contract.call(
      'executeWorkflow',
      as('owner', { params: { id: workflowId }, body }),
      202,
    );
    return JSON.parse(text) as { run_id: string; data: { execution_id: string } };
  };
  const workflowOf = async (agent_name: string) => {
    const step = { agent_name, input_mapping: { message: '$.workflow_input.message' } };
    return stack.client.createWorkflow({
      name: randomUUID(),
      start_step: 'first',
      steps: { first: { ...step, next_step: 'second' }, second: step },
    });
  };
  const makers: Record<string, () => Promise<[workflowId: string, runId: string]>> = {
    pending: async () => {
      stack.hold('executionRequests', true);
      const workflowId = await workflowOf('echo');
      const { run_id } = await execute(workflowId);
      return [workflowId, run_id];
    },
    running: async () => {
      const { workflowId, runId } = await makeApiThings(stack);
      return [workflowId, runId];
    },
    paused: async () => {
      const { workflowId, runId } = await makeApiThings(stack);
      await stack.database.execute('update workflow_runs set paused_at = now() where run_id = $1', [runId]);
      return [workflowId, runId];
    },
    completed: async () => {
      await stack.addAgent('echo');
      const workflowId = await workflowOf('echo');
      const { run_id } = await execute(workflowId);
      await stack.client.ended(run_id);
      return [workflowId, run_id];
    },
    failed: async () => {
      await stack.addAgent('fails', () => ({ status: 400, body: { code: 'BROKEN', message: 'It broke' } }));
      const workflowId = await workflowOf('fails');
      const { run_id } = await execute(workflowId);
      await stack.client.ended(run_id);
      return [workflowId, run_id];
    },
    cancelled: async () => {
      const { workflowId, endedRunId } = await makeApiThings(stack);
      return [workflowId, endedRunId];
    },
  };

  it.each(Object.keys(makers))('%s is read on every face as documented', async (status) => {
    const [workflowId, runId] = await makers[status]!();
    const id = runId.slice('run-'.length);
    const read = (operationId: string, request: ContractRequest) =>
      contract.call(operationId, as('owner', request), 200);
    await read('getRun', { params: { run_id: runId } });
    await read('listSteps', { params: { run_id: runId } });
    const { text } = await read('getExecution', { params: { id }, query: '?include_metrics=true' });
    expect(JSON.parse(text).data.status).toBe(status);
    await read('getOwnExecution', { params: { id } });
    await read('listOwnExecutionLogs', { params: { id } });
    await read('compareExecutions', { query: `?left=${id}&right=${id}` });
    await read('listRuns', { query: `?workflow_id=${workflowId}` });
    await read('listOwnExecutions', { query: `?workflow_id=${workflowId}` });
    await read('listExecutions', { params: { id: workflowId }, query: `?community_id=${COMMUNITY}` });
    if (status === 'pending') stack.hold('executionRequests', false);
  });
});

describe('400', () => {
  it.each(answering(400))('of %s', async (id, { operation, route }) => {
    const request = as(senderOf(id), await right(id));
    const query = route.authentication === 'optional' ? '?deep=perhaps' : '?surplus=1';
    await contract.call(id, operation.requestBody ? { ...request, body: '{' } : { ...request, query }, 400);
  });

  it('of an id on the plain face that is none', async () => {
    await contract.call('getOwnExecution', as('owner', { params: { id: 'no-uuid' } }), 400);
  });

  it.each([
    ['cancelRun', (my: ApiThings) => ({ run_id: my.endedRunId })],
    ['cancelExecution', (my: ApiThings) => ({ id: my.endedExecutionId })],
    ['cancelOwnExecution', (my: ApiThings) => ({ id: my.endedExecutionId })],
  ] as const)('of %s where the run has ended', async (id, paramsOf) => {
    const params = paramsOf(await makeApiThings(stack));
    await contract.call(id, as('owner', { params }), 400);
  });
});

describe('401', () => {
  it.each(answering(401))('of %s', async (id, { route }) => {
    await contract.call(id, nothing(route), 401);
    const wrong = { ...nothing(route), headers: { 'X-API-Key': 'sl_wrong' } };
    await contract.call(id, wrong, 401);
  });
});

describe('403', () => {
  it.each(answering(403))('of %s', async (id, { route }) => {
    const narrowed = neededScopeOf(route) === 'read' ? 'executor' : 'reader';
    await contract.call(id, as(narrowed, nothing(route)), 403);
  });
});

describe('404', () => {
  it.each(answering(404))('of %s', async (id, { route }) => {
    await contract.call(id, as('owner', nothing(route)), 404);
  });

  it('of a path that names nothing', async () => {
    const response = await fetch(`${stack.url}/api/v1/nothing`);
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ success: false, error_code: 'NOT_FOUND' });
  });
});

describe('405', () => {
  it.each(operations.map((one) => [one.id, one] as const))('beside %s', async (id, { route }) => {
    await contract.callOtherMethod(id, as('owner', nothing(route)));
  });
});

describe('409', () => {
  it.each(['executeWorkflow', 'executeOwnWorkflow'])('of %s by its Idempotency-Key', async (id) => {
    const request = as('owner', { ...(await right(id)) });
    const headers = { ...request.headers, 'Idempotency-Key': randomUUID() };
    const first = await contract.call(id, { ...request, headers }, 202);
    const again = await contract.call(id, { ...request, headers }, 202);
    expect(JSON.parse(again.text)).toEqual(JSON.parse(first.text));
    await contract.call(id, { ...request, headers, body: { input_data: { another: 1 } } }, 409);
  });

  it.each(['completeCallback', 'failCallback', 'heartbeatCallback'])(
    'of %s once it is settled',
    async (id) => {
      const my = await makeApiThings(stack);
      await contract.call('completeCallback', requests.completeCallback!(my), 200);
      await contract.call(id, requests[id]!(my), 409);
    },
  );

  it('of what is not in a state for it, or has its name already', async () => {
    const my = await makeApiThings(stack);
    await contract.call('retryRun', as('owner', { params: { run_id: my.runId } }), 409);
    const agent = { body: { name: my.agentName, url: 'https://agents.example.com/' } };
    await contract.call('registerAgent', as('owner', agent), 409);
    const other = await contract.call('registerWorkflow', as('owner', requests.registerWorkflow!(my)), 201);
    const { name, start_step, steps } = JSON.parse(other.text).data;
    const renamed = { params: { id: my.workflowId }, body: { name, start_step, steps } };
    await contract.call('replaceWorkflow', as('owner', renamed), 409);
  });
});

describe('413', () => {
  it.each(answering(413))('of %s', async (id, { route }) => {
    const body = JSON.stringify('x'.repeat(route.body!.maxBytes));
    await contract.call(id, as('owner', { ...(await right(id)), body }), 413);
  });
});

describe('415', () => {
  it.each(answering(415))('of %s', async (id) => {
    const request = as('owner', { ...(await right(id)), body: 'a=1' });
    await contract.call(
      id,
      { ...request, headers: { ...request.headers, 'Content-Type': 'text/plain' } },
      415,
    );
  });
});

it('415 of a body that is compressed says what is accepted', async () => {
  const request = as('owner', { body: '{}' });
  const headers = { ...request.headers, 'Content-Encoding': 'gzip' };
  const answer = await contract.call('registerWorkflow', { ...request, headers }, 415);
  expect(answer.headers.get('accept-encoding')).toBe('identity');
});

describe('429', () => {
  it.each(answering(429))('of %s', async (id, { route }) => {
    // More than a bucket holds, and than comes back meanwhile; wrong callback tokens are counted by their address.
    const request = nothing(route);
    await contract.call(id, route.authentication === 'none' ? request : as('hurried', request), 429, 500);
  });
});

describe('504', () => {
  it('of a test that has more data than it may', async () => {
    const ids = Array.from({ length: 1_000 }, (_, i) => `s${i}`);
    const steps = ids.map((id, i) => {
      const input_mapping = { message: '$.workflow_input.message' };
      return [id, { agent_name: 'echo', next_step: ids[i + 1] ?? null, input_mapping }];
    });
    const definition = { name: randomUUID(), start_step: 's0', steps: Object.fromEntries(steps) };
    const id = await stack.client.createWorkflow(definition);
    const body = { input_data: { message: 'x'.repeat(250_000) } };
    await contract.call('testWorkflow', as('owner', { params: { id }, body }), 504);
  });
});

describe('503', () => {
  let away: Awaited<ReturnType<typeof startApiWithoutDatabase>>;
  let broken: Contract;
  beforeAll(async () => {
    away = await startApiWithoutDatabase(stack.variables);
    broken = openContract(document, away.url);
  });
  afterAll(() => away?.close());

  const needsDatabase = answering(503).filter(([id]) => !DOCUMENTS.includes(id));
  it.each(needsDatabase)('of %s without the database', async (id, { route }) => {
    const request = route.authentication === 'none' ? await right(id) : as('owner', nothing(route));
    await broken.call(id, request, 503);
  });
});

it('every answer that is documented was seen, but for faults', () => {
  const missing = operations.flatMap(({ id, statuses }) =>
    statuses.flatMap((status) => {
      if (status === 500 || status === 503 || contract.seen.get(id)?.has(status)) return [];
      return [`${id} ${status}`];
    }),
  );
  expect(missing).toEqual([]);
});
