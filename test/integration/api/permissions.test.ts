import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { dataPipeline } from './api-harness.ts';
import { codeOf, openRunHarness, type RunHarness } from './run-harness.ts';

let api: RunHarness;
let permissions: string;
beforeAll(async () => {
  api = await openRunHarness({ databaseUrl: inject('databaseUrl'), kafkaBrokers: inject('kafkaBrokers') });
  permissions = `/api/v1/workflows/${api.workflowId}/permissions`;
});
afterAll(() => api?.close());

const grant = (body: unknown, method = 'PUT') => api.as('ann')({ method, path: permissions, body });
const workflow = () => `/api/v1/workflows/${api.workflowId}`;
const denied = [403, 'PERMISSION_DENIED'];

describe('granting', () => {
  it('is told, listed, replaced and taken back', async () => {
    const put = await grant({ user_id: 'vic', can_execute: true });
    expect(put.status).toBe(200);
    expect(put.body.data).toEqual({
      id: put.body.id,
      workflow_id: api.workflowId,
      user_id: 'vic',
      community_id: null,
      can_view: true,
      can_execute: true,
      granted_by: 'ann',
      created_at: expect.any(String),
      updated_at: expect.any(String),
    });
    expect((await api.as('vic')(api.execute())).status).toBe(202);
    const replaced = await grant({ user_id: 'vic', can_view: true, can_execute: false }, 'POST');
    expect([replaced.status, replaced.body.id]).toEqual([201, put.body.id]);
    expect(codeOf(await api.as('vic')(api.execute()))).toEqual(denied);
    expect((await api.as('ann')({ path: permissions })).body.data).toEqual([replaced.body.data]);
    const revoke = { method: 'DELETE', path: `${permissions}/${put.body.id}` };
    expect((await api.as('ann')(revoke)).status).toBe(200);
    expect(codeOf(await api.as('ann')(revoke))).toEqual([404, 'NOT_FOUND']);
    expect(codeOf(await api.as('vic')({ path: workflow() }))).toEqual([404, 'WORKFLOW_NOT_FOUND']);
  });

  it('is the owner’s and an admin’s: 403 for a viewer, 404 for a stranger', async () => {
    const { body } = await grant({ user_id: 'wim' });
    for (const request of [
      { path: permissions },
      { path: permissions, method: 'PUT', body: '{' },
      { path: permissions, method: 'POST', body: { user_id: 'wim', can_execute: true } },
      { path: `${permissions}/${body.id}`, method: 'DELETE' },
    ]) {
      expect(codeOf(await api.as('wim')(request))).toEqual(denied);
      expect(codeOf(await api.as('stranger')(request))).toEqual([404, 'WORKFLOW_NOT_FOUND']);
    }
    expect((await api.as('root', { roles: ['admin'] })({ path: permissions })).status).toBe(200);
  });

  it.each<[what: string, body: unknown, paths: string[]]>([
    ['nobody', {}, ['user_id']],
    ['two at once', { user_id: 'a', community_id: 1 }, ['user_id']],
    ['executing unseen', { user_id: 'a', can_view: false, can_execute: true }, ['can_view']],
    [
      'wrong types',
      { user_id: 1, can_view: 'yes', can_execute: 1, x: 1 },
      ['can_execute', 'can_view', 'user_id', 'x'],
    ],
    ['a name of spaces', { user_id: '  ' }, ['user_id']],
  ])('%s is refused', async (_what, body, paths) => {
    const answer = await grant(body);
    expect(codeOf(answer)).toEqual([400, 'BAD_REQUEST']);
    expect(answer.body.details.map(({ path }: { path: string }) => path).sort()).toEqual(paths);
  });
});

describe('a viewer', () => {
  beforeAll(() => grant({ user_id: 'val' }));

  it('sees the workflow and all of its runs, and changes nothing', async () => {
    const runId = await api.startedRun();
    const asVal = api.as('val');
    expect((await asVal({ path: workflow() })).status).toBe(200);
    expect((await asVal({ path: '/api/v1/workflows' })).body.data).toHaveLength(1);
    expect((await asVal({ path: `/api/v1/runs/${runId}` })).body.run_id).toBe(runId);
    expect((await asVal({ path: `/api/v1/runs/${runId}/steps` })).status).toBe(200);
    const listed = await asVal({ path: '/api/v1/runs' });
    expect(listed.body.data.map(({ run_id }: { run_id: string }) => run_id)).toContain(runId);
    for (const request of [
      // Permission is decided before the body is looked at.
      api.execute('{'),
      { method: 'POST', path: `/api/v1/runs/${runId}/cancel`, body: '{' },
      { method: 'POST', path: `/api/v1/runs/${runId}/retry`, body: '{' },
      { method: 'PUT', path: workflow(), body: '{' },
      { method: 'DELETE', path: workflow() },
    ]) {
      expect(codeOf(await asVal(request))).toEqual(denied);
    }
  });
});

describe('an executor', () => {
  it('starts, cancels and retries', async () => {
    await grant({ user_id: 'eli', can_execute: true });
    const asEli = api.as('eli');
    const { body } = await asEli(api.execute());
    const run = `/api/v1/runs/${body.run_id}`;
    expect((await asEli({ path: run })).body.data.triggered_by).toBe('eli');
    expect((await asEli({ method: 'POST', path: `${run}/cancel` })).status).toBe(200);
    expect((await asEli({ method: 'POST', path: `${run}/retry` })).status).toBe(202);
    expect((await api.as('ann')({ path: run })).status).toBe(200);
  });

  it('may be a whole community, by token or by key', async () => {
    await grant({ community_id: 77, can_execute: true });
    expect((await api.as('mia', { communities: [5, 77] })(api.execute())).status).toBe(202);
    expect(codeOf(await api.as('mia', { communities: [7] })(api.execute()))[0]).toBe(404);
    const { key } = await api.makeApiKey('noa', [], { communities: [77] });
    expect((await api.send({ ...api.execute(), headers: { 'X-API-Key': key } })).status).toBe(202);
  });

  it('has what any of several grants gives', async () => {
    await grant({ community_id: 88 });
    await grant({ user_id: 'pia', can_view: false });
    expect(codeOf(await api.as('pia')({ path: workflow() }))[0]).toBe(404);
    expect((await api.as('pia', { communities: [88] })({ path: workflow() })).status).toBe(200);
    expect(codeOf(await api.as('pia', { communities: [88, 77] })(api.execute()))[0]).toBe(202);
  });
});

describe('a stranger', () => {
  it('learns of nothing', async () => {
    const runId = await api.startedRun();
    const asStranger = api.as('stranger');
    for (const request of [
      { path: workflow() },
      api.execute('{'),
      { method: 'PUT', path: workflow(), body: '{' },
      { method: 'DELETE', path: workflow() },
    ]) {
      expect(codeOf(await asStranger(request))).toEqual([404, 'WORKFLOW_NOT_FOUND']);
    }
    for (const [method, path] of [
      ['GET', ''],
      ['GET', '/steps'],
      ['POST', '/cancel'],
      ['POST', '/retry'],
    ] as const) {
      const answer = await asStranger({ method, path: `/api/v1/runs/${runId}${path}` });
      expect(codeOf(answer)).toEqual([404, 'NOT_FOUND']);
    }
    expect((await asStranger({ path: '/api/v1/runs' })).body.data).toEqual([]);
    expect((await asStranger({ path: '/api/v1/workflows' })).body.data).toEqual([]);
  });
});

it('lists go on page by page over one’s own and others’', async () => {
  await grant({ user_id: 'quy' });
  const asQuy = api.as('quy');
  const { body: own } = await asQuy({ method: 'POST', path: '/api/v1/workflows', body: dataPipeline });
  const expected: string[] = [];
  for (let i = 0; i < 3; i++) {
    expected.unshift(await api.startedRun());
    expected.unshift((await asQuy(api.execute(undefined, own.id))).body.run_id);
  }
  const seen: string[] = [];
  for (let cursor = ''; seen.length < 6; ) {
    const { body } = await asQuy({ path: `/api/v1/runs?limit=2${cursor}` });
    seen.push(...body.data.map(({ run_id }: { run_id: string }) => run_id));
    cursor = `&cursor=${body.meta.next_cursor}`;
  }
  expect(seen).toEqual(expected);
  const first = await asQuy({ path: '/api/v1/workflows?limit=1' });
  const second = await asQuy({ path: `/api/v1/workflows?limit=1&cursor=${first.body.meta.next_cursor}` });
  expect([...first.body.data, ...second.body.data].map(({ owner }: { owner: string }) => owner)).toEqual([
    'quy',
    'ann',
  ]);
});

it('another producer’s run that names the workflow stays an admin’s', async () => {
  await grant({ user_id: 'rex' });
  await api.engine.database.execute(
    `insert into workflow_runs (run_id, workflow_id, workflow_name, workflow_definition_id, status)
     values ('theirs', 'w', 'w', $1, 'PENDING')`,
    [api.workflowId],
  );
  expect((await api.as('rex')({ path: '/api/v1/runs/theirs' })).status).toBe(404);
  expect((await api.as('rex')({ path: '/api/v1/runs?workflow_name=w' })).body.data).toEqual([]);
});
