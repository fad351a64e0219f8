import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { createRegisterWorkflow } from '../../../shared/application/register-workflow.ts';
import { openDatabase } from '../../../shared/persistence/database.ts';
import { createWorkflows } from '../../../shared/persistence/workflows.ts';
import { auditEntry } from '../../support/audit-entry.ts';
import { type ApiHarness, dataPipeline, openApiHarness, unregisteredAgents } from './api-harness.ts';

let api: ApiHarness;
beforeAll(async () => {
  api = await openApiHarness({ databaseUrl: inject('databaseUrl'), kafkaBrokers: inject('kafkaBrokers') });
});
afterAll(() => api?.close());

const workflows = '/api/v1/workflows';
const post = (body: unknown) => ({ method: 'POST', path: workflows, body });
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe('registering a workflow', () => {
  it('answers 201 with the envelope and the id beside it', async () => {
    const { status, body, headers } = await api.as('ann')(post(dataPipeline));
    expect(status).toBe(201);
    expect(body).toEqual({
      success: true,
      message: 'Version 1 of the workflow registered',
      id: expect.stringMatching(uuid),
      meta: { warnings: unregisteredAgents },
      data: {
        ...dataPipeline,
        id: body.id,
        version: 1,
        owner: 'ann',
        created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        updated_at: body.data.created_at,
        paused_at: null,
      },
    });
    expect(headers.Location).toBe(`/api/v1/workflows/${body.id}`);
  });

  it('adds a version for the same name of the same owner, and is another workflow for another', async () => {
    const first = await api.as('bob')(post(dataPipeline));
    const second = await api.as('bob')(post({ ...dataPipeline, description: 'Now better' }));
    const others = await api.as('eve')(post(dataPipeline));
    expect(second.status).toBe(201);
    expect(second.body.id).toBe(first.body.id);
    expect(second.body.data).toMatchObject({ version: 2, description: 'Now better' });
    expect(others.body.id).not.toBe(first.body.id);
    expect(others.body.data.version).toBe(1);
  });

  it('names everything that is wrong with a definition and its request at once', async () => {
    const definition = {
      name: 'bad\u0000',
      start_step: 'one',
      setps: {},
      steps: { one: { agent_name: 1, next_step: 'tow' }, two: { agent_name: 'x', id: '2' } },
    };
    const { status, body } = await api.as('ann')({
      method: 'POST',
      path: '/api/v1/workflows?verbose=1',
      body: definition,
    });
    expect(status).toBe(400);
    expect(body.details).toEqual([
      { path: 'verbose', message: 'unknown parameter' },
      { path: 'name', message: 'expected text without the character U+0000' },
      { path: 'steps.one.agent_name', message: 'expected text' },
      { path: 'setps', message: 'unknown field' },
      { path: 'steps.two.id', message: 'expected its key "two", got "2"' },
      {
        path: 'steps.one.next_step',
        message: 'expected the id of a step or null, got "tow", did you mean "two"?',
      },
    ]);
  });

  it('loses no step whose id comes twice', async () => {
    const { body } = await api.as('ann')({
      method: 'POST',
      path: '/api/v1/workflows',
      body: '{"name":"w","start_step":"a","steps":{"a":{"agent_name":"x"},"a":{"agent_name":"y"}}}',
    });
    expect(body.details).toEqual([{ path: 'steps.a', message: 'expected to be given once' }]);
  });

  it('gives concurrent registrations of one name consecutive versions', async () => {
    // As many connections as concurrent Lambdas.
    const database = openDatabase({ url: api.databaseUrl, maxConnections: 10 });
    try {
      const { register } = createRegisterWorkflow(createWorkflows(database));
      const carl = { userId: 'carl', isAdmin: false, communities: [] };
      const registered = await Promise.all(
        Array.from({ length: 20 }, () => register(carl, dataPipeline, auditEntry)),
      );
      const versions = registered.map((one) => (one.ok ? one.workflow.version : one.code));
      const expected = Array.from({ length: 20 }, (_, i) => i + 1);
      expect(versions.sort((a, b) => Number(a) - Number(b))).toEqual(expected);
      const stored = await database.many<{ version: number }>(
        `select v.version from workflow_versions v join workflows w on w.id = v.workflow_id
         where w.owner = 'carl' order by v.version`,
      );
      expect(stored.map(({ version }) => version)).toEqual(expected);
    } finally {
      await database.close();
    }
  });

  it('takes a body in base64, as API Gateway sends binary types', async () => {
    const { status } = await api.as('ann')({
      ...post({ ...dataPipeline, name: 'in base64 ä' }),
      asBase64: true,
    });
    expect(status).toBe(201);
  });

  it('keeps a definition of the largest size and of 5,000 steps', async () => {
    const steps = Object.fromEntries(
      Array.from({ length: 5_000 }, (_, i) => [
        `s${i}`,
        { agent_name: 'echo-agent', next_step: i < 4_999 ? `s${i + 1}` : null },
      ]),
    );
    const { status, body } = await api.as('ann')(post({ name: 'long', start_step: 's0', steps }));
    expect(status).toBe(201);
    expect(Object.keys(body.data.steps)).toHaveLength(5_000);
  });
});

describe('bad definitions', () => {
  const step = { agent_name: 'echo-agent', next_step: null };
  const nested = (depth: number) => JSON.parse(`${'['.repeat(depth)}${']'.repeat(depth)}`);
  const cases: [what: string, body: unknown, status: number, path: string][] = [
    ['unknown start_step', { name: 'w', start_step: 'x', steps: { a: step } }, 400, 'start_step'],
    [
      'unknown next_step',
      { name: 'w', start_step: 'a', steps: { a: { ...step, next_step: 'x' } } },
      400,
      'steps.a.next_step',
    ],
    [
      'an id that is not its key',
      { name: 'w', start_step: 'a', steps: { a: { ...step, id: 'b' } } },
      400,
      'steps.a.id',
    ],
    ['an unreachable step', { name: 'w', start_step: 'a', steps: { a: step, b: step } }, 400, 'steps.b'],
    [
      'a mapping that reads a later step',
      {
        name: 'w',
        start_step: 'a',
        steps: { a: { ...step, next_step: 'b', input_mapping: { x: '$.b.output_data' } }, b: step },
      },
      400,
      'steps.a.input_mapping.x',
    ],
    [
      'bad JSONPath',
      { name: 'w', start_step: 'a', steps: { a: { ...step, input_mapping: { x: '$.workflow_input[' } } } },
      400,
      'steps.a.input_mapping.x',
    ],
    ['no steps', { name: 'w', start_step: 'a', steps: {} }, 400, 'steps'],
    [
      '5,001 steps',
      {
        name: 'w',
        start_step: 's0',
        steps: Object.fromEntries(Array.from({ length: 5_001 }, (_, i) => [`s${i}`, step])),
      },
      400,
      'steps',
    ],
    ['2 MB', { name: 'w', description: 'x'.repeat(2_000_000), start_step: 'a', steps: { a: step } }, 413, ''],
    [
      'depth 500',
      { name: 'w', start_step: 'a', steps: { a: { ...step, input_mapping: { x: nested(500) } } } },
      400,
      'steps.a.input_mapping.x.0',
    ],
    [
      '__proto__',
      '{"name":"w","start_step":"a","steps":{"a":{"agent_name":"e","__proto__":{"x":1}}}}',
      400,
      'steps.a.__proto__',
    ],
    [
      'U+0000',
      '{"name":"w","start_step":"a","steps":{"a":{"agent_name":"a\\u0000b"}}}',
      400,
      'steps.a.agent_name',
    ],
    [
      'a lone surrogate',
      '{"name":"w","start_step":"a","steps":{"a":{"agent_name":"a\\ud800b"}}}',
      400,
      'steps.a.agent_name',
    ],
    [
      '1e400',
      '{"name":"w","start_step":"a","steps":{"a":{"agent_name":"e","timeout_seconds":1e400}}}',
      400,
      'steps.a.timeout_seconds',
    ],
    ['text that is not JSON', '{"name":', 400, ''],
    ['no body', undefined, 400, ''],
    ['an array', [], 400, ''],
    ['null', null, 400, ''],
  ];
  it.each(cases)('%s', async (_what, sent, expectedStatus, path) => {
    const { status, body } = await api.as('mallory')({ method: 'POST', path: workflows, body: sent });
    expect({ status, success: body.success, code: body.error_code }).toEqual({
      status: expectedStatus,
      success: false,
      code: expectedStatus === 413 ? 'PAYLOAD_TOO_LARGE' : 'BAD_REQUEST',
    });
    const paths = (body.details as { path: string; message: string }[]).map((detail) => detail.path);
    if (path.startsWith('steps.a.input_mapping.x.0'))
      expect(paths[0]).toMatch(/^steps\.a\.input_mapping\.x(\.0)+$/);
    else expect(paths).toContain(path);
    expect(body.details[0].message).toMatch(/expected|unknown|reads|no way/i);
  });

  it('names every bad field at once', async () => {
    const bad = { name: '', description: 7, start_step: 'a', steps: { a: { agent_name: 5 } }, extra: 1 };
    const { status, body } = await api.as('mallory')(post(bad));
    expect(status).toBe(400);
    expect(body.details.map(({ path }: { path: string }) => path).sort()).toEqual(
      ['description', 'extra', 'name', 'steps.a.agent_name'].sort(),
    );
  });

  it('stored nothing of all that', async () => {
    const { body } = await api.as('mallory')({ path: workflows });
    expect(body.data).toEqual([]);
  });

  it('refuses other media types and other encodings', async () => {
    const headers = { 'Content-Type': 'text/plain' };
    const asText = await api.as('ann')({ ...post('{}'), headers });
    expect([asText.status, asText.body.error_code]).toEqual([415, 'UNSUPPORTED_MEDIA_TYPE']);
    const kin = await api.as('ann')({
      ...post(dataPipeline),
      headers: { 'content-type': 'application/vnd.x+json; charset=utf-8' },
    });
    expect(kin.status).toBe(201);
  });
});

describe('reading workflows', () => {
  it('gives the newest version with its definition', async () => {
    const asDora = api.as('dora');
    const { body: made } = await asDora(post(dataPipeline));
    await asDora(
      post({
        ...dataPipeline,
        steps: { ...dataPipeline.steps, transform: { ...dataPipeline.steps.transform, agent_name: 'other' } },
      }),
    );
    const { status, body } = await asDora({ path: `${workflows}/${made.id}` });
    expect(status).toBe(200);
    expect(body.data).toMatchObject({
      id: made.id,
      name: 'data-pipeline',
      version: 2,
      start_step: 'extract',
    });
    expect(body.data.steps.transform.agent_name).toBe('other');
    expect(body.data.steps.extract).toEqual(dataPipeline.steps.extract);
  });

  it('lists one’s own, newest first, page by page', async () => {
    const asFay = api.as('fay');
    for (const name of ['one', 'two', 'three']) await asFay(post({ ...dataPipeline, name }));
    const first = await asFay({ path: `${workflows}?limit=2` });
    expect(first.body.data.map(({ name }: { name: string }) => name)).toEqual(['three', 'two']);
    expect(first.body.data[0]).not.toHaveProperty('steps');
    const second = await asFay({ path: `${workflows}?limit=2&cursor=${first.body.meta.next_cursor}` });
    expect(second.body.data.map(({ name }: { name: string }) => name)).toEqual(['one']);
    expect(second.body.meta).toEqual({ limit: 2, next_cursor: null });
    const named = await asFay({ path: `${workflows}?name=two` });
    expect(named.body.data).toHaveLength(1);
  });

  it.each([
    ['limit=0', 'limit'],
    ['limit=1001', 'limit'],
    ['limit=ten', 'limit'],
    ['limit=1&limit=2', 'limit'],
    ['cursor=nonsense', 'cursor'],
    ['cursor=WyJ4IiwieSJd', 'cursor'],
    [
      'cursor=WyIyMDI0LTAxLTE1VDk5Ojk5Ojk5Ljk5OTk5OVoiLCIwMTkzM2NmMC0wMDAwLTcwMDAtODAwMC0wMDAwMDAwMDAwMDAiXQ',
      'cursor',
    ],
    ['nam=x', 'nam'],
    ['name=%00', 'name'],
  ])('refuses ?%s', async (query, path) => {
    const { status, body } = await api.as('ann')({ path: `${workflows}?${query}` });
    expect(status).toBe(400);
    expect(body.details).toEqual([{ path, message: expect.any(String) }]);
  });
});

describe('changing workflows', () => {
  it('adds a version by id, and takes a new name', async () => {
    const asGus = api.as('gus');
    const { body: made } = await asGus(post(dataPipeline));
    const renamed = await asGus({
      method: 'PUT',
      path: `${workflows}/${made.id}`,
      body: { ...dataPipeline, name: 'renamed' },
    });
    expect(renamed.status).toBe(200);
    expect(renamed.body.data).toMatchObject({ id: made.id, version: 2, name: 'renamed' });
    await asGus(post({ ...dataPipeline, name: 'taken' }));
    const clash = await asGus({
      method: 'PUT',
      path: `${workflows}/${made.id}`,
      body: { ...dataPipeline, name: 'taken' },
    });
    expect([clash.status, clash.body.error_code]).toEqual([409, 'CONFLICT']);
    const invalid = await asGus({
      method: 'PUT',
      path: `${workflows}/${made.id}`,
      body: { ...dataPipeline, start_step: 'x' },
    });
    expect(invalid.status).toBe(400);
    const { body } = await asGus({ path: `${workflows}/${made.id}` });
    expect(body.data).toMatchObject({ version: 2, name: 'renamed' });
  });

  it('archives; the name again brings it back with the next version', async () => {
    const asHal = api.as('hal');
    const { body: made } = await asHal(post(dataPipeline));
    const path = `${workflows}/${made.id}`;
    const deleted = await asHal({ method: 'DELETE', path });
    expect([deleted.status, deleted.body.data.id]).toEqual([200, made.id]);
    for (const request of [
      { path },
      { method: 'DELETE', path },
      { method: 'PUT', path, body: dataPipeline },
      { method: 'POST', path: `${path}/execute`, body: {} },
    ]) {
      const { status, body } = await asHal(request);
      expect([status, body.error_code]).toEqual([404, 'WORKFLOW_NOT_FOUND']);
    }
    expect((await asHal({ path: workflows })).body.data).toEqual([]);
    const again = await asHal(post(dataPipeline));
    expect(again.body.data).toMatchObject({ id: made.id, version: 2 });
    expect((await asHal({ path })).status).toBe(200);
  });
});

describe('other tenants', () => {
  it('see nothing: 404 before anything is said of their request', async () => {
    const { body: made } = await api.as('ivy')(post(dataPipeline));
    const path = `${workflows}/${made.id}`;
    for (const request of [
      { path },
      { method: 'DELETE', path },
      { method: 'PUT', path, body: 'not even JSON' },
      { method: 'POST', path: `${path}/execute`, body: 'not even JSON' },
    ]) {
      const { status, body } = await api.as('joe')(request);
      expect([status, body.error_code]).toEqual([404, 'WORKFLOW_NOT_FOUND']);
    }
    expect((await api.as('joe')({ path: workflows })).body.data).toEqual([]);
    expect((await api.as('ivy')({ path })).status).toBe(200);
  });

  it('an admin sees and manages everybody’s', async () => {
    const { body: made } = await api.as('kim')(post(dataPipeline));
    const asAdmin = api.as('root', { roles: ['admin'] });
    const path = `${workflows}/${made.id}`;
    expect((await asAdmin({ path })).body.data.owner).toBe('kim');
    const put = await asAdmin({ method: 'PUT', path, body: dataPipeline });
    expect(put.body.data).toMatchObject({ version: 2, owner: 'kim' });
    expect((await asAdmin({ path: `${workflows}?limit=1` })).body.data).toHaveLength(1);
  });

  it.each(['not-a-uuid', '00000000-0000-0000-0000-000000000000', '%00', "'; drop table workflows --"])(
    'an id that names nothing is 404: %s',
    async (id) => {
      const { status, body } = await api.as('ann')({
        path: `${workflows}/${encodeURIComponent(decodeURIComponent(id))}`,
      });
      expect([status, body.error_code]).toEqual([404, 'WORKFLOW_NOT_FOUND']);
    },
  );
});
