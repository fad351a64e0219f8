import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { allRoutes } from '../../../functions/api/routes/all-routes.ts';
import { generateApiKey } from '../../../shared/auth/api-key.ts';
import { type ApiHarness, dataPipeline, openApiHarness } from './api-harness.ts';

const servers = { databaseUrl: inject('databaseUrl'), kafkaBrokers: inject('kafkaBrokers') };
let api: ApiHarness;
beforeAll(async () => {
  api = await openApiHarness(servers);
});
afterAll(() => api?.close());

const requestOf = ({ method, path }: { method: string; path: string }) => ({
  method,
  path: path.replaceAll(/\{\w+\}/g, '01933cf0-0000-7000-8000-000000000000'),
});
const guarded = allRoutes.filter(({ authentication }) => authentication === 'caller');
const open = allRoutes.filter(({ authentication }) => authentication === 'none');

let sent = 0;

describe('every route', () => {
  it('but the documents, the callbacks and health, if not deep, asks who calls', () => {
    expect(open.map(({ operationId }) => operationId)).toEqual([
      'completeCallback',
      'failCallback',
      'heartbeatCallback',
      'getOpenApi',
      'getDocs',
      'getWorkflowSchema',
    ]);
    expect(guarded).toHaveLength(allRoutes.length - open.length - 1);
  });

  it.each(guarded.map((route) => [route.operationId, route] as const))(
    '%s: 401 for wrong credentials',
    async (_id, route) => {
      const expired = await api.makeApiKey('ann', [], { expiresAt: new Date(Date.now() - 1_000) });
      const revoked = await api.makeApiKey('ann');
      await api.engine.database.execute('update api_keys set revoked_at = now() where id = $1', [revoked.id]);
      const wrong: Record<string, string>[] = [
        {},
        { 'X-API-Key': '' },
        { 'X-API-Key': 'nonsense' },
        { 'X-API-Key': generateApiKey().key },
        { 'X-API-Key': expired.key },
        { 'X-API-Key': revoked.key },
        { Authorization: '' },
        { Authorization: 'Basic YW5uOnB3' },
        { Authorization: `Bearer ${randomBytes(20).toString('hex')}` },
        { Authorization: 'Bearer' },
      ];
      for (const headers of wrong) {
        // Each from an address of its own: failures are counted by it.
        const sourceAddress = `test-${sent++}`;
        const {
          status,
          body,
          headers: answered,
        } = await api.send({ ...requestOf(route), headers, sourceAddress });
        expect([status, body.error_code]).toEqual([401, 'UNAUTHORIZED']);
        expect(answered['WWW-Authenticate']).toBe('Bearer realm="stepline"');
      }
    },
  );

  it('takes a key or a token', async () => {
    const { key } = await api.makeApiKey('ann');
    for (const name of ['X-API-Key', 'x-api-key', 'X-Api-Key']) {
      expect((await api.send({ path: '/api/v1/workflows', headers: { [name]: key } })).status).toBe(200);
    }
    expect((await api.as('ann')({ path: '/api/v1/workflows' })).status).toBe(200);
    const wrongKey = { 'X-API-Key': generateApiKey().key };
    expect((await api.as('ann')({ path: '/api/v1/workflows', headers: wrongKey })).status).toBe(401);
  });
});

describe('API keys', () => {
  it('carry their user and roles', async () => {
    const ann = await api.makeApiKey('ann');
    const root = await api.makeApiKey('root', ['admin']);
    const { body: made } = await api.send({
      method: 'POST',
      path: '/api/v1/workflows',
      headers: { 'X-API-Key': ann.key },
      body: dataPipeline,
    });
    expect(made.data.owner).toBe('ann');
    const path = `/api/v1/workflows/${made.id}`;
    expect((await api.send({ path, headers: { 'X-API-Key': root.key } })).status).toBe(200);
    const other = await api.makeApiKey('bob');
    expect((await api.send({ path, headers: { 'X-API-Key': other.key } })).status).toBe(404);
  });

  it('are refused from the moment they are revoked', async () => {
    const { id, key } = await api.makeApiKey('ann');
    const request = { path: '/api/v1/runs', headers: { 'X-API-Key': key } };
    expect((await api.send(request)).status).toBe(200);
    await api.engine.database.execute('update api_keys set revoked_at = now() where id = $1', [id]);
    expect((await api.send(request)).status).toBe(401);
  });

  it('remember their last use, once a minute', async () => {
    const { id, key } = await api.makeApiKey('ann');
    const use = () => api.send({ path: '/api/v1/runs', headers: { 'X-API-Key': key } });
    const lastUse = async () => {
      const row = await api.engine.database.one<{ last_used_at: Date | null }>(
        'select last_used_at from api_keys where id = $1',
        [id],
      );
      return row.last_used_at?.getTime() ?? null;
    };
    await use();
    await expect.poll(lastUse).not.toBeNull();
    const first = await lastUse();
    await use();
    expect(await lastUse()).toBe(first);
    await api.engine.database.execute(
      `update api_keys set last_used_at = now() - interval '61 seconds' where id = $1`,
      [id],
    );
    await use();
    await expect.poll(lastUse).toBeGreaterThan(first as number);
  });

  it('are stored as a hash', async () => {
    const { id, key } = await api.makeApiKey('ann');
    const row = await api.engine.database.one('select * from api_keys where id = $1', [id]);
    expect(JSON.stringify(row)).not.toContain(key);
    expect(row.prefix).toBe(key.slice(0, 11));
  });
});

describe('without AUTH_MODE=required', () => {
  let anonymous: ApiHarness;
  beforeAll(async () => {
    anonymous = await openApiHarness({ ...servers, authMode: 'anonymous' });
  });
  afterAll(() => anonymous?.close());

  it('who sends nothing is `anonymous`, an admin', async () => {
    const made = await anonymous.send({ method: 'POST', path: '/api/v1/workflows', body: dataPipeline });
    expect([made.status, made.body.data.owner]).toEqual([201, 'anonymous']);
    const agent = { name: 'echo', kind: 'lambda', function_arn: 'echo' };
    const registered = await anonymous.send({ method: 'POST', path: '/api/v1/agents', body: agent });
    expect([registered.status, registered.body.data.owner]).toEqual([201, null]);
  });

  it('who sends wrong credentials is refused', async () => {
    for (const headers of [
      { 'X-API-Key': 'x' },
      { 'X-API-Key': '' },
      { Authorization: 'Bearer x' },
      { Authorization: '' },
    ]) {
      expect((await anonymous.send({ path: '/api/v1/runs', headers })).status).toBe(401);
    }
  });

  it('who sends right ones is who they say', async () => {
    await anonymous.send({ method: 'POST', path: '/api/v1/workflows', body: dataPipeline });
    expect((await anonymous.as('ann')({ path: '/api/v1/workflows' })).body.data).toEqual([]);
  });
});
