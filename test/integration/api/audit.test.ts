import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { createTokens } from '../../../shared/agents/tokens.ts';
import { generateApiKey } from '../../../shared/auth/api-key.ts';
import type { ApiRequest } from '../../support/api-event.ts';
import { dataPipeline } from './api-harness.ts';
import { openRunHarness, type RunHarness } from './run-harness.ts';

let api: RunHarness;
beforeAll(async () => {
  api = await openRunHarness({ databaseUrl: inject('databaseUrl'), kafkaBrokers: inject('kafkaBrokers') });
});
afterAll(() => api?.close());

const LINE =
  /^\[\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z\] (INFO|WARN|ERROR) test_api:\d+\.\d+\.\d+ (AUTH|AUTHZ|AUDIT|ERROR|SYSTEM) community=\S+ user=\S+ action=\S+ result=\S+$/;

const records = async (userId: string, query = '') =>
  (await api.as('root', { roles: ['admin'] })({ path: `/api/v1/audit?user_id=${userId}${query}` })).body.data;
/** Without the time and the module. */
const tailsOf = (lines: readonly string[]) => lines.map((line) => line.replace(/^\[\S+\] (\w+) \S+/, '$1'));

async function linesDuring(work: () => Promise<unknown>): Promise<string[]> {
  const before = api.lines.length;
  await work();
  const lines = api.lines.slice(before);
  for (const line of lines) expect(line).toMatch(LINE);
  return tailsOf(lines);
}

describe('a call', () => {
  it('that changes something leaves one AUDIT line and one record', async () => {
    const asAda = api.as('ada', { communities: [5] });
    const ids: Record<string, string> = {};
    const changes: [action: string, resource: () => string | undefined, request: () => ApiRequest][] = [
      [
        'register_workflow',
        () => ids.w,
        () => ({ method: 'POST', path: '/api/v1/workflows', body: dataPipeline }),
      ],
      [
        'replace_workflow',
        () => ids.w,
        () => ({ method: 'PUT', path: `/api/v1/workflows/${ids.w}`, body: dataPipeline }),
      ],
      ['execute_workflow', () => ids.run, () => api.execute({}, ids.w)],
      ['cancel_run', () => ids.run, () => ({ method: 'POST', path: `/api/v1/runs/${ids.run}/cancel` })],
      [
        'create_api_key',
        () => ids.key,
        () => ({ method: 'POST', path: '/api/v1/api-keys', body: { name: 'k' } }),
      ],
      ['revoke_api_key', () => ids.key, () => ({ method: 'DELETE', path: `/api/v1/api-keys/${ids.key}` })],
      ['delete_workflow', () => ids.w, () => ({ method: 'DELETE', path: `/api/v1/workflows/${ids.w}` })],
    ];
    for (const [action, resource, request] of changes) {
      const lines = await linesDuring(async () => {
        const { status, body } = await asAda(request());
        expect([action, status]).toEqual([action, expect.toSatisfy((code: number) => code < 300)]);
        if (action === 'register_workflow') ids.w = body.id;
        if (action === 'execute_workflow') ids.run = body.run_id;
        if (action === 'create_api_key') ids.key = body.id;
      });
      expect(lines).toEqual([
        'INFO AUTH community=- user=ada action=authenticate result=SUCCESS',
        `INFO AUDIT community=5 user=ada action=${action} result=SUCCESS`,
      ]);
      const [newest, ...others] = await records('ada', `&action=${action}`);
      expect(others).toEqual([]);
      expect(newest).toEqual({
        id: expect.any(String),
        timestamp: expect.any(String),
        event_type: 'AUDIT',
        community_id: 5,
        user_id: 'ada',
        api_key_id: null,
        action,
        result: 'SUCCESS',
        resource: resource(),
        request_id: 'request-1',
        source_address: '192.0.2.1',
      });
    }
    expect(await records('ada')).toHaveLength(changes.length);
  });

  it('repeated under its Idempotency-Key leaves one record', async () => {
    const { key, id } = await api.makeApiKey('ann', ['admin'], { communities: [1, 2] });
    const headers = { 'X-API-Key': key, 'Idempotency-Key': 'once' };
    const body = { variables: { a: 1 }, community_id: 9 };
    const first = await api.send({ ...api.execute(body), headers });
    await api.send({ ...api.execute(body), headers });
    expect(await records('ann', `&resource=${first.body.run_id}`)).toMatchObject([
      { community_id: 9, api_key_id: id, action: 'execute_workflow' },
    ]);
  });

  it('about a run is of the run’s community', async () => {
    const variables = { variables: {}, community_id: 42 };
    const asAnn = api.as('ann', { communities: [42] });
    for (const path of [
      (id: string) => `/api/v1/runs/run-${id}/cancel`,
      (id: string) => `/api/v1/workflows/executions/${id}/cancel`,
      (id: string) => `/api/workflows/executions/${id}/cancel`,
    ]) {
      const { body } = await asAnn(api.execute(variables));
      const lines = await linesDuring(() => asAnn({ method: 'POST', path: path(body.data.execution_id) }));
      expect(lines.at(-1)).toMatch(/^INFO AUDIT community=42 user=ann action=cancel_\w+ result=SUCCESS$/);
      const [record] = await records('ann', `&resource=${body.run_id}`);
      expect(record.community_id).toBe(42);
    }
  });

  it('that only reads leaves no AUDIT', async () => {
    const lines = await linesDuring(() => api.as('ann')({ path: '/api/v1/workflows' }));
    expect(lines).toEqual(['INFO AUTH community=- user=ann action=authenticate result=SUCCESS']);
  });

  it('that is refused leaves AUTH, AUTHZ or ERROR', async () => {
    const path = `/api/v1/workflows/${api.workflowId}`;
    await api.as('ann')({ method: 'PUT', path: `${path}/permissions`, body: { user_id: 'val' } });
    const lastOf = async (work: () => Promise<unknown>) => (await linesDuring(work)).at(-1);
    const wrong = { 'X-API-Key': generateApiKey().key };
    expect(await lastOf(() => api.send({ path, headers: wrong }))).toBe(
      'WARN AUTH community=- user=- action=authenticate result=UNAUTHORIZED',
    );
    expect(await lastOf(() => api.as('val')(api.execute()))).toBe(
      'WARN AUTHZ community=- user=val action=execute_workflow result=DENIED',
    );
    expect(await lastOf(() => api.as('ann')(api.execute('{')))).toBe(
      'WARN ERROR community=- user=ann action=execute_workflow result=BAD_REQUEST',
    );
    expect(await records('val')).toEqual([]);
  });

  it('cannot forge lines', async () => {
    const user =
      'eve\n[2025-12-09T12:00:00Z] INFO test_api:1.0.0 AUDIT community=1 user=ann action=x result=SUCCESS';
    const lines = await linesDuring(() => api.as(user)({ path: '/api/v1/workflows' }));
    expect(lines).toHaveLength(1);
  });
});

describe('the audit log', () => {
  it('is one’s own, and everybody’s to an admin; newest first, page by page', async () => {
    const asBob = api.as('bob');
    for (const name of ['a', 'b', 'c']) {
      await asBob({ method: 'POST', path: '/api/v1/api-keys', body: { name } });
    }
    const first = await asBob({ path: '/api/v1/audit?limit=2' });
    const second = await asBob({ path: `/api/v1/audit?limit=2&cursor=${first.body.meta.next_cursor}` });
    expect([first.body.data.length, second.body.data.length]).toEqual([2, 1]);
    expect((await asBob({ path: '/api/v1/audit?user_id=ann' })).body.data).toEqual([]);
    const everybody = await api.as('root', { roles: ['admin'] })({ path: '/api/v1/audit?limit=1000' });
    const users = new Set(everybody.body.data.map(({ user_id }: { user_id: string }) => user_id));
    expect([users.has('ann'), users.has('bob')]).toEqual([true, true]);
    expect((await asBob({ path: '/api/v1/audit?before=2020-01-01' })).body.data).toEqual([]);
    expect((await asBob({ path: '/api/v1/audit?after=soon&x=1' })).body.details).toHaveLength(2);
  });

  it.each(['update audit_log set user_id = null', 'delete from audit_log', 'truncate audit_log'])(
    'is append-only: %s',
    async (sql) => {
      await expect(api.engine.database.execute(sql)).rejects.toThrow('audit_log rows are never changed');
    },
  );
});

it('no secret, key or token is in any line or record', async () => {
  const secrets: string[] = [];
  const { body: made } = await api.as('ann')({
    method: 'POST',
    path: '/api/v1/api-keys',
    body: { name: 'k' },
  });
  const unknown = generateApiKey().key;
  const agentSecret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
  const agent = { name: 'signed', url: 'https://agents.example.com/', secret: agentSecret };
  await api.as('ann')({ method: 'POST', path: '/api/v1/agents', body: agent });
  for (const key of [made.data.api_key, unknown]) {
    await api.send({ path: '/api/v1/runs', headers: { 'X-API-Key': key } });
    await api.send({ path: `/api/v1/runs/${key}`, headers: { Authorization: `Bearer ${key}` } });
  }
  await api.send({
    method: 'POST',
    path: '/api/v1/api-keys',
    body: '{',
    headers: { 'X-API-Key': made.data.api_key },
  });
  const runId = await api.startedRun();
  await api.pickUp(runId);
  const attempt = await api.openAttempt(runId);
  const token = createTokens(api.secretKey).callbackToken(attempt);
  const callback = `/api/v1/callbacks/${attempt}/${token}`;
  await api.send({ method: 'POST', path: callback, body: '{' });
  const settled = await api.send({ method: 'POST', path: callback, body: { rows: 1 } });
  expect(settled.status).toBe(200);
  secrets.push(made.data.api_key, unknown, agentSecret, token);
  const rows = await api.engine.database.many('select * from audit_log');
  const everything = JSON.stringify([api.lines, api.logged, rows]);
  for (const secret of secrets) expect(everything).not.toContain(secret);
  expect(everything).toContain('complete_callback');
});
