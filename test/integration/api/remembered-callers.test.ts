import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { ApiRequest, ApiResponse } from '../../support/api-event.ts';
import { dataPipeline } from './api-harness.ts';
import { codeOf, openRunHarness, type RunHarness } from './run-harness.ts';

/*
 * Who has started a run is remembered, and what they may execute, so that their next start is one round trip. It compares what is
 * remembered with what is stored: nobody is let in by it who no longer may, and nobody is refused who may by now.
 */

let api: RunHarness;
beforeAll(async () => {
  api = await openRunHarness({ databaseUrl: inject('databaseUrl'), kafkaBrokers: inject('kafkaBrokers') });
  // So that nothing is to be warned of, which is looked up each time.
  const agents = Object.values(dataPipeline.steps).map(({ agent_name: name }) => ({
    name,
    kind: 'lambda',
    function_arn: name,
  }));
  for (const body of agents)
    await api.as('root', { roles: ['admin'] })({ method: 'POST', path: '/api/v1/agents', body });
});
afterAll(() => api?.close());

const TRIPS = { remembered: 1, read: 3 };
const count = (sql: string, values: unknown[] = []) =>
  api.engine.database.one<{ n: number }>(`select count(*)::int as n from ${sql}`, values).then(({ n }) => n);

/** A workflow of ann's, and a key of `userId`'s that has started it twice: its first use is noted, which is a change of its row. */
async function remembered(userId = 'ann', more: Parameters<RunHarness['makeApiKey']>[2] = {}) {
  const definition = { ...dataPipeline, name: `remembered-${crypto.randomUUID()}` };
  const made = await api.as('ann')({ method: 'POST', path: '/api/v1/workflows', body: definition });
  const id: string = made.body.id;
  if (userId !== 'ann') {
    const grant = { user_id: userId, can_execute: true };
    await api.as('ann')({ method: 'PUT', path: `/api/v1/workflows/${id}/permissions`, body: grant });
  }
  const key = await api.makeApiKey(userId, [], more);
  const start = (request: Partial<ApiRequest> = {}, path = `/api/v1/workflows/${id}/execute`) =>
    api.send({
      method: 'POST',
      path,
      body: {},
      ...request,
      headers: { 'X-API-Key': key.key, ...request.headers },
    });
  expect((await start()).status).toBe(202);
  await expect.poll(() => count('api_keys where id = $1 and last_used_at is not null', [key.id])).toBe(1);
  expect((await start()).status).toBe(202);
  api.roundTrips();
  return { id, definition, keyId: key.id, start };
}
const denied = [403, 'PERMISSION_DENIED'];
const unknown = [404, 'WORKFLOW_NOT_FOUND'];

describe('a start by who has started before', () => {
  it.each([
    ['their own', 'ann'],
    ['that somebody lets them execute', 'vic'],
  ])('is one round trip: a workflow %s', async (_whose, userId) => {
    const { start } = await remembered(userId);
    expect([(await start()).status, api.roundTrips()]).toEqual([202, TRIPS.remembered]);
  });

  it('is read where anything about it was written since', async () => {
    const { id, start } = await remembered();
    await api.engine.database.execute('update workflows set updated_at = now() where id = $1', [id]);
    api.roundTrips();
    // What is remembered is compared, and then all is read.
    expect([(await start()).status, api.roundTrips()]).toEqual([202, 1 + TRIPS.read]);
    expect([(await start()).status, api.roundTrips()]).toEqual([202, TRIPS.remembered]);
  });

  it('leaves the same records and lines as one that is read', async () => {
    const { id, start } = await remembered();
    const from = api.lines.length;
    const { body } = await start();
    const lines = api.lines.slice(from).map((line) => line.replace(/^\S+ /, ''));
    expect(lines).toEqual([
      expect.stringContaining('action=authenticate result=SUCCESS'),
      expect.stringContaining('action=execute_workflow result=SUCCESS'),
    ]);
    expect(await count(`audit_log where resource = $1 and action = 'execute_workflow'`, [body.run_id])).toBe(
      1,
    );
    expect(
      await count('workflow_runs where run_id = $1 and workflow_definition_id = $2', [body.run_id, id]),
    ).toBe(1);
  });

  it('gives the same run for the same Idempotency-Key', async () => {
    const { id, start } = await remembered();
    const asked = { headers: { 'Idempotency-Key': `again-${id}` }, body: { input_data: { a: 1 } } };
    const first = await start(asked);
    expect((await start(asked)).body).toEqual(first.body);
    expect(codeOf(await start({ ...asked, body: { input_data: { a: 2 } } }))).toEqual([409, 'CONFLICT']);
    expect(await count('workflow_runs where workflow_definition_id = $1', [id])).toBe(3);
    const from = api.lines.length;
    await start({ ...asked, body: { input_data: { a: 3 } } });
    expect(api.lines.slice(from)).toEqual([
      expect.stringContaining('action=authenticate result=SUCCESS'),
      expect.stringContaining('action=execute_workflow result=CONFLICT'),
    ]);
  });
});

describe('who is remembered is not let in', () => {
  it.each<[what: string, sql: string, code: [number, string] | readonly (number | string)[]]>([
    ['a key that is revoked', 'update api_keys set revoked_at = now() where id = $1', [401, 'UNAUTHORIZED']],
    ['a key that is gone', 'delete from api_keys where id = $1', [401, 'UNAUTHORIZED']],
    ['a key that may only read by now', `update api_keys set scopes = '{read}' where id = $1`, denied],
    ['a key of another user by now', `update api_keys set user_id = 'eve' where id = $1`, unknown],
  ])('%s', async (_what, sql, code) => {
    const { id, keyId, start } = await remembered();
    await api.engine.database.execute(sql, [keyId]);
    expect(codeOf(await start())).toEqual(code);
    expect(await count('workflow_runs where workflow_definition_id = $1', [id])).toBe(2);
  });

  it('a key whose time is over', async () => {
    const { start } = await remembered('ann', { expiresAt: new Date(Date.now() + 3_000) });
    await expect.poll(async () => codeOf(await start())[0], { timeout: 10_000, interval: 300 }).toBe(401);
  });

  it.each<[what: string, change: Partial<ApiRequest>, code: readonly (number | string)[]]>([
    ['a grant that is taken back', { method: 'DELETE' }, unknown],
    ['a grant that lets see only', { method: 'PUT', body: { user_id: 'vic', can_execute: false } }, denied],
  ])('%s', async (_what, change, code) => {
    const { id, start } = await remembered('vic');
    const permissions = `/api/v1/workflows/${id}/permissions`;
    const { body } = await api.as('ann')({ path: permissions });
    const path = change.method === 'DELETE' ? `${permissions}/${body.data[0].id}` : permissions;
    expect((await api.as('ann')({ ...change, path })).status).toBe(200);
    expect(codeOf(await start())).toEqual(code);
    expect(await count('workflow_runs where workflow_definition_id = $1', [id])).toBe(2);
  });

  it('to a workflow that is archived', async () => {
    const { id, start } = await remembered();
    expect((await api.as('ann')({ method: 'DELETE', path: `/api/v1/workflows/${id}` })).status).toBe(200);
    expect(codeOf(await start())).toEqual(unknown);
  });
});

describe('what is remembered', () => {
  it('is the newest version', async () => {
    const { id, definition, start } = await remembered();
    const { body } = await api.as('ann')({
      method: 'PUT',
      path: `/api/v1/workflows/${id}`,
      body: definition,
    });
    expect(body.data.version).toBe(2);
    const started = await start();
    expect(await count('workflow_runs where run_id = $1 and version = 2', [started.body.run_id])).toBe(1);
  });

  it('tells of a bad request as if it was read, and counts it once', async () => {
    const { start } = await remembered('ann', { tier: 'standard' });
    const before = await start();
    const wrong = await start({ body: { input_dat: {} } });
    expect([wrong.status, wrong.body.error_code, wrong.body.details[0].path]).toEqual([
      400,
      'BAD_REQUEST',
      'input_dat',
    ]);
    const left = (answer: ApiResponse) => Number(/r=(\d+)/.exec(answer.headers.RateLimit ?? '')?.[1]);
    expect(left(before) - left(wrong)).toBe(1);
  });

  it('is no secret’s text', async () => {
    const { start } = await remembered();
    expect(codeOf(await start({ headers: { 'X-API-Key': `sk_${'a'.repeat(43)}` } }))).toEqual([
      401,
      'UNAUTHORIZED',
    ]);
  });

  it('is nobody who is not let in: wrong credentials count once', async () => {
    const { start } = await remembered();
    const wrong = { headers: { 'X-API-Key': `sk_${'b'.repeat(43)}` }, sourceAddress: '198.51.100.7' };
    const left = async () => Number(/r=(\d+)/.exec((await start(wrong)).headers.RateLimit ?? '')?.[1]);
    const first = await left();
    expect(await left()).toBe(first - 1);
  });

  it('is one’s own: on the plain face, another’s workflow stays unknown', async () => {
    const { id, start } = await remembered('vic');
    expect((await start({}, `/api/workflows/${id}/execute`)).status).toBe(404);
    expect((await start()).status).toBe(202);
  });
});
