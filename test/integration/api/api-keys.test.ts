import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type ApiHarness, dataPipeline, openApiHarness } from './api-harness.ts';
import { codeOf } from './run-harness.ts';

let api: ApiHarness;
beforeAll(async () => {
  api = await openApiHarness({ databaseUrl: inject('databaseUrl'), kafkaBrokers: inject('kafkaBrokers') });
});
afterAll(() => api?.close());

const keys = '/api/v1/api-keys';
const post = (body: unknown) => ({ method: 'POST', path: keys, body });
const asAdmin = (request: Parameters<ApiHarness['send']>[0]) => api.as('root', { roles: ['admin'] })(request);
const withKey = (key: string, path: string, method = 'GET', body?: unknown) =>
  api.send({ path, method, body, headers: { 'X-API-Key': key } });

describe('an API key', () => {
  it('is shown once, and works', async () => {
    const { status, body, headers } = await api.as('ann', { communities: [4] })(post({ name: 'ci' }));
    expect(status).toBe(201);
    const { api_key: key, ...shown } = body.data;
    expect(key).toMatch(/^sk_[\w-]{43}$/);
    expect(shown).toEqual({
      id: body.id,
      name: 'ci',
      prefix: key.slice(0, 11),
      user_id: 'ann',
      tier: 'standard',
      scopes: [],
      roles: [],
      communities: [4],
      created_at: expect.any(String),
      expires_at: null,
      last_used_at: null,
      revoked_at: null,
    });
    expect(headers.Location).toBe(`${keys}/${body.id}`);
    expect((await withKey(key, keys)).body.data).toEqual([shown]);
    await expect
      .poll(async () => (await api.as('ann')({ path: `${keys}/${body.id}` })).body.data.last_used_at)
      .not.toBeNull();
    const stored = await api.engine.database.one('select * from api_keys where id = $1', [body.id]);
    expect(JSON.stringify(stored)).not.toContain(key);
  });

  it('is refused from the moment it is revoked, and revoking again changes nothing', async () => {
    const { body } = await api.as('bob')(post({ name: 'short-lived' }));
    const revoke = { method: 'DELETE', path: `${keys}/${body.id}` };
    const first = await api.as('bob')(revoke);
    expect([first.status, first.body.data.revoked_at]).toEqual([200, expect.any(String)]);
    expect((await withKey(body.data.api_key, keys)).status).toBe(401);
    expect((await api.as('bob')(revoke)).body.data.revoked_at).toBe(first.body.data.revoked_at);
  });

  it('expires', async () => {
    const soon = new Date(Date.now() + 3_600_000).toISOString();
    const { body } = await api.as('cyd')(post({ name: 'brief', expires_at: soon }));
    expect(body.data.expires_at).toBe(soon);
    expect((await withKey(body.data.api_key, keys)).status).toBe(200);
    await api.engine.database.execute(
      `update api_keys set expires_at = expires_at - interval '1 hour' where id = $1`,
      [body.id],
    );
    expect((await withKey(body.data.api_key, keys)).status).toBe(401);
  });

  it('is narrowed to its scopes', async () => {
    const make = async (scope: string) =>
      (await api.as('dan')(post({ name: scope, scopes: [scope] }))).body.data.api_key;
    const [read, execute, manage] = [await make('read'), await make('execute'), await make('manage')];
    const workflows = '/api/v1/workflows';
    const { body: made } = await withKey(manage, workflows, 'POST', dataPipeline);
    const run = `${workflows}/${made.id}/execute`;
    const statuses = async (key: string) => [
      (await withKey(key, workflows)).status,
      (await withKey(key, workflows, 'POST', '{')).status,
      (await withKey(key, run, 'POST', '{')).status,
    ];
    expect(await statuses(read)).toEqual([200, 403, 403]);
    expect(await statuses(manage)).toEqual([403, 400, 403]);
    expect(await statuses(execute)).toEqual([403, 403, 400]);
    expect(codeOf(await withKey(manage, keys, 'POST', { name: 'wider', scopes: ['read'] }))).toEqual([
      403,
      'PERMISSION_DENIED',
    ]);
  });
});

describe('API keys', () => {
  it('are a user’s own, and anybody’s to an admin by user_id', async () => {
    const { body } = await asAdmin(
      post({ name: 'for eve', user_id: 'eve', tier: 'premium', communities: [9] }),
    );
    expect(body.data).toMatchObject({ user_id: 'eve', tier: 'premium', roles: [], communities: [9] });
    const path = `${keys}/${body.id}`;
    expect((await asAdmin({ path })).status).toBe(200);
    expect((await asAdmin({ path: `${keys}?user_id=eve` })).body.data).toHaveLength(1);
    expect((await api.as('eve')({ path: keys })).body.data).toHaveLength(1);
    expect((await api.as('gil')({ path: keys })).body.data).toEqual([]);
    expect(codeOf(await api.as('gil')({ path }))).toEqual([404, 'NOT_FOUND']);
    expect(codeOf(await api.as('gil')({ path, method: 'DELETE' }))).toEqual([404, 'NOT_FOUND']);
    expect(codeOf(await api.as('gil')({ path: `${keys}?user_id=eve` }))).toEqual([403, 'PERMISSION_DENIED']);
    expect((await asAdmin({ path, method: 'DELETE' })).status).toBe(200);
  });

  it('are listed newest first, page by page', async () => {
    for (const name of ['a', 'b', 'c']) await api.as('hal')(post({ name }));
    const first = await api.as('hal')({ path: `${keys}?limit=2` });
    const second = await api.as('hal')({ path: `${keys}?limit=2&cursor=${first.body.meta.next_cursor}` });
    const names = [...first.body.data, ...second.body.data].map(({ name }: { name: string }) => name);
    expect(names).toEqual(['c', 'b', 'a']);
    expect(second.body.meta.next_cursor).toBeNull();
  });

  it.each<[what: string, body: unknown]>([
    ['another user', { name: 'x', user_id: 'eve' }],
    ['a higher tier', { name: 'x', tier: 'unlimited' }],
    ['the role of an admin', { name: 'x', roles: ['admin'] }],
    ['another community', { name: 'x', communities: [7] }],
  ])('with %s are an admin’s to make', async (_what, body) => {
    expect(codeOf(await api.as('ida')(post(body)))).toEqual([403, 'PERMISSION_DENIED']);
    expect((await asAdmin(post(body))).status).toBe(201);
  });

  it('are refused with every wrong field named', async () => {
    const body = {
      name: '',
      user_id: ' ',
      tier: 'gold',
      scopes: ['all'],
      roles: ['king'],
      communities: ['1'],
      expires_at: '2020-01-01T00:00:00Z',
      color: 'red',
    };
    const answer = await asAdmin(post(body));
    expect(codeOf(answer)).toEqual([400, 'BAD_REQUEST']);
    expect(answer.body.details.map(({ path }: { path: string }) => path).sort()).toEqual([
      'color',
      'communities.0',
      'expires_at',
      'name',
      'roles.0',
      'scopes.0',
      'tier',
      'user_id',
    ]);
  });
});
