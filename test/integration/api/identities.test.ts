import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { ApiRequest } from '../../support/api-event.ts';
import { codeOf, openRunHarness, type RunHarness } from './run-harness.ts';

let api: RunHarness;
beforeAll(async () => {
  api = await openRunHarness({ databaseUrl: inject('databaseUrl'), kafkaBrokers: inject('kafkaBrokers') });
});
afterAll(() => api?.close());

const byKey = (key: string) => (request: ApiRequest) =>
  api.send({ ...request, headers: { 'X-API-Key': key, ...request.headers } });

describe('a token whose sub is a name of the deployment', () => {
  it('is not its first administrator, who has the key', async () => {
    const { key } = await api.makeApiKey('admin', ['admin']);
    const asAdmin = byKey(key);
    const workflow = { name: 'secret', start_step: 's', steps: { s: { agent_name: 'echo-agent' } } };
    const created = await asAdmin({ method: 'POST', path: '/api/v1/workflows', body: workflow });
    const { body } = await asAdmin(api.execute({}, created.body.id));
    const asAdminByName = api.as('admin');
    expect(codeOf(await asAdminByName({ path: `/api/v1/runs/${body.run_id}` }))[0]).toBe(404);
    expect(codeOf(await asAdminByName({ path: `/api/v1/workflows/${created.body.id}` }))[0]).toBe(404);
    for (const list of ['/api/v1/runs', '/api/v1/audit', '/api/v1/api-keys', '/api/workflows/executions']) {
      const seen = await asAdminByName({ path: list });
      expect([seen.status, seen.body.data ?? seen.body]).toEqual([200, []]);
    }
    const own = await asAdminByName({ method: 'POST', path: '/api/v1/workflows', body: workflow });
    expect([own.status, own.body.data.owner]).toEqual([201, 'token:admin']);
    const withTheRole = api.as('admin', { roles: ['admin'] });
    expect((await withTheRole({ path: `/api/v1/runs/${body.run_id}` })).status).toBe(200);
  });

  it('is nobody whom an admin has named to be of keys alone', async () => {
    const { key } = await api.makeApiKey('key:ci');
    const workflow = { name: 'built', start_step: 's', steps: { s: { agent_name: 'echo-agent' } } };
    const { body } = await byKey(key)({ method: 'POST', path: '/api/v1/workflows', body: workflow });
    expect(body.data.owner).toBe('key:ci');
    expect(codeOf(await api.as('key:ci')({ path: `/api/v1/workflows/${body.id}` }))[0]).toBe(404);
  });
});

describe('a community', () => {
  const body = { community_id: 77, variables: {} };
  const test: ApiRequest = { method: 'POST', path: '', body };

  it("takes no runs of who is not its member, of its workflow's owner neither", async () => {
    const refused = [
      await api.as('ann', { communities: [7] })(api.execute(body)),
      await api.as('ann', { communities: [] })(api.execute({ community_id: 77 })),
      await byKey((await api.makeApiKey('ann', [], { communities: [7] })).key)(api.execute(body)),
      await api.as('ann', { communities: [7] })({
        ...test,
        path: `/api/v1/workflows/${api.workflowId}/test`,
      }),
    ];
    for (const answer of refused) expect(codeOf(answer)).toEqual([403, 'PERMISSION_DENIED']);
    expect(refused[0]?.body.message).toBe('You are not a member of community 77');
  });

  it('takes those of its members, by token and by key, and of an admin', async () => {
    const taken = [
      await api.as('ann', { communities: [7, 77] })(api.execute(body)),
      await byKey((await api.makeApiKey('ann', [], { communities: [77] })).key)(api.execute(body)),
      await api.as('root', { roles: ['admin'] })(api.execute(body)),
    ];
    expect(taken.map(({ status }) => status)).toEqual([202, 202, 202]);
  });
});
