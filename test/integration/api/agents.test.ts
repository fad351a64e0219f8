import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { decryptSecret, generateSecret } from '../../../shared/agents/secrets.ts';
import { limits } from '../../../shared/config/limits.ts';
import { type ApiHarness, openApiHarness } from './api-harness.ts';
import { codeOf } from './run-harness.ts';

let api: ApiHarness;
beforeAll(async () => {
  api = await openApiHarness({ databaseUrl: inject('databaseUrl'), kafkaBrokers: inject('kafkaBrokers') });
});
afterAll(() => api?.close());

const agents = '/api/v1/agents';
const post = (body: unknown) => ({ method: 'POST', path: agents, body });
const asAdmin = (request: Parameters<ApiHarness['send']>[0]) => api.as('root', { roles: ['admin'] })(request);
const http = (name: string) => ({ name, url: 'https://agents.example.com/extract' });

async function storedSecret(id: string): Promise<string | null> {
  const row = await api.engine.database.one<{ secret_encrypted: Buffer | null }>(
    'select secret_encrypted from agents where id = $1',
    [id],
  );
  return row.secret_encrypted && decryptSecret(api.secretKey, row.secret_encrypted);
}

describe('registering an agent', () => {
  it('makes a secret and shows it this once', async () => {
    const { status, body, headers } = await api.as('ann')(post({ ...http('extractor'), timeout: 30 }));
    expect(status).toBe(201);
    expect(body).toEqual({
      success: true,
      message: 'Agent registered',
      meta: {},
      id: body.data.id,
      data: {
        id: expect.any(String),
        name: 'extractor',
        kind: 'http',
        url: 'https://agents.example.com/extract',
        timeout_seconds: 30,
        owner: 'ann',
        example_output: null,
        previous_secret_until: null,
        secret: expect.stringMatching(/^whsec_/),
        created_at: expect.any(String),
        updated_at: expect.any(String),
      },
    });
    expect(headers.Location).toBe(`${agents}/${body.id}`);
    expect(await storedSecret(body.id)).toBe(body.data.secret);
    const read = await api.as('ann')({ path: `${agents}/extractor` });
    expect(read.body.data).not.toHaveProperty('secret');
    const listed = await api.as('ann')({ path: agents });
    expect(listed.body.data[0]).not.toHaveProperty('secret');
    expect(listed.body.data[0]).not.toHaveProperty('example_output');
  });

  it.each([
    ['an object', { rows: 3, nested: { list: [1, null] } }],
    ['a text', 'done'],
    ['false', false],
    ['a list', []],
  ])('with an example output: %s', async (_what, example_output) => {
    const name = `example-${JSON.stringify(example_output)}`;
    const made = await api.as('ann')(post({ ...http(name), example_output }));
    expect(made.body.data.example_output).toEqual(example_output);
    const path = `${agents}/${made.body.id}`;
    expect((await api.as('ann')({ path })).body.data.example_output).toEqual(example_output);
    const changed = await api.as('ann')({
      method: 'PUT',
      path,
      body: { ...http(name), example_output: { other: 1 } },
    });
    expect(changed.body.data.example_output).toEqual({ other: 1 });
    const removed = await api.as('ann')({ method: 'PUT', path, body: http(name) });
    expect(removed.body.data.example_output).toBeNull();
  });

  it('is 413 for an example output larger than a payload may be', async () => {
    const example_output = 'x'.repeat(limits.maxPayloadBytes);
    const answer = await api.as('ann')(post({ ...http('large'), example_output }));
    expect(codeOf(answer)).toEqual([413, 'PAYLOAD_TOO_LARGE']);
    expect(answer.body.details).toMatchObject([{ path: 'example_output' }]);
  });

  it('keeps a given secret, and does not show it', async () => {
    const secret = generateSecret();
    const { body } = await api.as('ann')(post({ ...http('own-secret'), secret }));
    expect(body.data).not.toHaveProperty('secret');
    expect(await storedSecret(body.id)).toBe(secret);
  });

  it('of an admin is everybody’s, and of any kind', async () => {
    const lambda = {
      name: 'a-lambda',
      kind: 'lambda',
      function_arn: 'arn:aws:lambda:eu-west-1:123456789012:function:f:live',
    };
    const kafka = { name: 'a-kafka', kind: 'kafka', topic: 'agent.transformer', timeout_seconds: 5 };
    const madeLambda = await asAdmin(post(lambda));
    const madeKafka = await asAdmin(post(kafka));
    expect(madeLambda.body.data).toMatchObject({ ...lambda, owner: null });
    expect(madeLambda.body.data).not.toHaveProperty('secret');
    expect(await storedSecret(madeLambda.body.id)).toBeNull();
    expect(madeKafka.body.data).toMatchObject({ ...kafka, owner: null });
    expect(madeKafka.body.data).not.toHaveProperty('secret');
    expect(await storedSecret(madeKafka.body.id)).toBeNull();
    expect((await api.as('zoe')({ path: `${agents}/a-kafka` })).body.data.topic).toBe('agent.transformer');
  });

  it('of another kind than http is an admin’s', async () => {
    for (const body of [
      { name: 'x', kind: 'lambda', function_arn: 'f' },
      { name: 'x', kind: 'kafka', topic: 'agent.x' },
    ]) {
      expect(codeOf(await api.as('ann')(post(body)))).toEqual([403, 'PERMISSION_DENIED']);
    }
  });

  it('is 409 for a name that the owner has already', async () => {
    expect((await api.as('bob')(post(http('twice')))).status).toBe(201);
    expect(codeOf(await api.as('bob')(post(http('twice'))))).toEqual([409, 'CONFLICT']);
    expect((await api.as('eve')(post(http('twice')))).status).toBe(201);
    expect((await asAdmin(post(http('twice')))).status).toBe(201);
    expect(codeOf(await asAdmin(post(http('twice'))))).toEqual([409, 'CONFLICT']);
  });

  it.each<[what: string, body: unknown, paths: string[]]>([
    ['nothing', {}, ['name', 'url']],
    ['a metadata address', { name: 'x', url: 'http://169.254.169.254/latest' }, ['url']],
    ['a private address', { name: 'x', url: 'http://10.0.0.1/' }, ['url']],
    ['another scheme', { name: 'x', url: 'file:///etc/passwd' }, ['url']],
    ['credentials in the address', { name: 'x', url: 'http://user:pw@example.com/' }, ['url']],
    ['an address of another kind', { name: 'x', kind: 'http', topic: 'agent.x' }, ['url', 'topic']],
    ['two addresses', { name: 'x', url: 'https://example.com/', function_arn: 'f' }, ['function_arn']],
    ['an unknown kind', { name: 'x', kind: 'smtp', url: 'https://example.com/' }, ['kind']],
    ['one of our topics', { name: 'x', kind: 'kafka', topic: 'results.topic' }, ['topic']],
    ['a topic that is none', { name: 'x', kind: 'kafka', topic: 'agent.a/b' }, ['topic']],
    [
      'a function that is none',
      { name: 'x', kind: 'lambda', function_arn: 'arn:aws:s3:::bucket' },
      ['function_arn'],
    ],
    [
      'a secret for lambda, where IAM lets in',
      { name: 'x', kind: 'lambda', function_arn: 'f', secret: generateSecret() },
      ['secret'],
    ],
    ['a function without a name', { name: 'x', kind: 'lambda', function_arn: '' }, ['function_arn']],
    ['a function name of 65', { name: 'x', kind: 'lambda', function_arn: 'f'.repeat(65) }, ['function_arn']],
    ['an alias that is none', { name: 'x', kind: 'lambda', function_arn: 'f:a:b' }, ['function_arn']],
    [
      'a secret for kafka',
      { name: 'x', kind: 'kafka', topic: 'agent.x', secret: generateSecret() },
      ['secret'],
    ],
    [
      'one of our functions',
      { name: 'x', kind: 'lambda', function_arn: 'step-executor:live' },
      ['function_arn'],
    ],
    [
      'one of our functions, by its ARN',
      { name: 'x', kind: 'lambda', function_arn: 'arn:aws:lambda:us-east-1:000000000000:function:api' },
      ['function_arn'],
    ],
    [
      'a secret in plain text',
      { name: 'x', url: 'https://example.com/', secret: 'a secret of mine' },
      ['secret'],
    ],
    [
      'a secret in base64 for URLs',
      { name: 'x', url: 'https://example.com/', secret: `whsec_${'A-_'.repeat(16)}` },
      ['secret'],
    ],
    [
      'an overlap where there is no secret before',
      { name: 'x', url: 'https://example.com/', secret_overlap_seconds: 1 },
      ['secret_overlap_seconds'],
    ],
    ['a short secret', { name: 'x', url: 'https://example.com/', secret: 'x' }, ['secret']],
    [
      'a secret that is no base64',
      { name: 'x', url: 'https://example.com/', secret: 'whsec_***' },
      ['secret'],
    ],
    [
      'a name that looks like an id',
      { name: '01933cf0-0000-7000-8000-000000000000', url: 'https://example.com/' },
      ['name'],
    ],
    [
      'both timeouts',
      { name: 'x', url: 'https://example.com/', timeout: 1, timeout_seconds: 1 },
      ['timeout'],
    ],
    [
      'everything wrong at once',
      { name: '', url: 'http://10.0.0.1/', timeout: 0.5, secret: 'x', color: 'red' },
      ['color', 'name', 'secret', 'timeout', 'url'],
    ],
  ])('refuses %s', async (_what, body, paths) => {
    const answer = await asAdmin(post(body));
    expect(codeOf(answer)).toEqual([400, 'BAD_REQUEST']);
    const found = answer.body.details.map((detail: { path: string }) => detail.path);
    expect([...new Set(found)].sort()).toEqual([...paths].sort());
  });
});

describe('reading agents', () => {
  it('by name gives one’s own before everybody’s', async () => {
    await asAdmin(post({ ...http('shared'), timeout: 1 }));
    expect((await api.as('gus')({ path: `${agents}/shared` })).body.data.owner).toBeNull();
    await api.as('gus')(post({ ...http('shared'), timeout: 2 }));
    expect((await api.as('gus')({ path: `${agents}/shared` })).body.data).toMatchObject({
      owner: 'gus',
      timeout_seconds: 2,
    });
    expect((await asAdmin({ path: `${agents}/shared` })).body.data.owner).toBeNull();
  });

  it('hides another tenant’s, by name and by id', async () => {
    const { body: made } = await api.as('hal')(post(http('hals')));
    for (const name of ['hals', made.id]) {
      for (const request of [
        { path: `${agents}/${name}` },
        { method: 'PUT', path: `${agents}/${name}`, body: '{' },
        { method: 'DELETE', path: `${agents}/${name}` },
      ]) {
        expect(codeOf(await api.as('ivy')(request))).toEqual([404, 'NOT_FOUND']);
      }
    }
    const listed = await api.as('ivy')({ path: `${agents}?limit=1000` });
    expect(listed.body.data.every((agent: { owner: string | null }) => agent.owner === null)).toBe(true);
    expect((await api.as('hal')({ path: `${agents}/${made.id}` })).status).toBe(200);
  });

  it('lists by name, page by page, by kind', async () => {
    const asJoe = api.as('joe');
    for (const name of ['c', 'a', 'b']) await asJoe(post(http(`joe-${name}`)));
    const names: string[] = [];
    for (let query = 'limit=2&kind=http'; query; ) {
      const { body } = await asJoe({ path: `${agents}?${query}` });
      names.push(...body.data.map((agent: { name: string }) => agent.name));
      query = body.meta.next_cursor ? `limit=2&kind=http&cursor=${body.meta.next_cursor}` : '';
    }
    expect(names.filter((name) => name.startsWith('joe-'))).toEqual(['joe-a', 'joe-b', 'joe-c']);
    expect(names).not.toContain('a-kafka');
    const kafka = await asJoe({ path: `${agents}?kind=kafka` });
    expect(kafka.body.data.map((agent: { name: string }) => agent.name)).toEqual(['a-kafka']);
    expect((await asJoe({ path: `${agents}?kind=smtp&cursor=x` })).body.details).toHaveLength(2);
  });
});

describe('changing agents', () => {
  it('moves an agent; its secret stays unless another is given', async () => {
    const asKim = api.as('kim');
    const { body: made } = await asKim(post({ ...http('mover'), timeout: 9 }));
    const path = `${agents}/mover`;
    const moved = await asKim({ method: 'PUT', path, body: { url: 'https://agents.example.com/new' } });
    expect(moved.status).toBe(200);
    expect(moved.body.data).toMatchObject({
      id: made.id,
      url: 'https://agents.example.com/new',
      timeout_seconds: null,
    });
    expect(moved.body.data).not.toHaveProperty('secret');
    expect(await storedSecret(made.id)).toBe(made.data.secret);
    const secret = generateSecret();
    await asKim({ method: 'PUT', path, body: { ...http('mover'), secret } });
    expect(await storedSecret(made.id)).toBe(secret);
  });

  it('to the loopback only where the agent is everybody’s, whoever asks', async () => {
    const local = { url: 'http://127.0.0.1:8000/api/v1/agents' };
    const refusal = { path: 'url', message: expect.stringContaining('USER_AGENT_ALLOWED_CIDRS') };
    const answer = await api.as('pat')(post({ name: 'pats', ...local }));
    expect(answer).toMatchObject({ status: 400, body: { details: [refusal] } });
    const { body: made } = await api.as('pat')(post(http('pats')));
    for (const send of [api.as('pat'), asAdmin]) {
      const changed = await send({ method: 'PUT', path: `${agents}/${made.id}`, body: local });
      expect(changed).toMatchObject({ status: 400, body: { details: [refusal] } });
    }
    expect((await asAdmin(post({ name: 'locals', ...local }))).status).toBe(201);
  });

  it('refuses another name, a forbidden kind and a bad address', async () => {
    const asLea = api.as('lea');
    await asLea(post(http('keeper')));
    const put = (body: unknown) => asLea({ method: 'PUT', path: `${agents}/keeper`, body });
    expect((await put({ ...http('other') })).body.details).toEqual([
      { path: 'name', message: expect.any(String) },
    ]);
    expect(codeOf(await put({ kind: 'kafka', topic: 'agent.x' }))).toEqual([403, 'PERMISSION_DENIED']);
    expect(codeOf(await put({ url: 'http://192.168.0.1/' }))).toEqual([400, 'BAD_REQUEST']);
  });

  it('everybody’s only by an admin', async () => {
    await asAdmin(post(http('common')));
    for (const request of [
      { method: 'PUT', path: `${agents}/common`, body: http('common') },
      { method: 'DELETE', path: `${agents}/common` },
    ]) {
      expect(codeOf(await api.as('mia')(request))).toEqual([403, 'PERMISSION_DENIED']);
      expect((await asAdmin(request)).status).toBe(200);
    }
    expect(codeOf(await asAdmin({ path: `${agents}/common` }))).toEqual([404, 'NOT_FOUND']);
  });

  it.each([
    { kind: 'kafka', topic: 'agent.changer' },
    { kind: 'lambda', function_arn: 'changer:live' },
  ])(
    'gives a secret to what was a $kind agent and is now called by HTTP, and takes it away again',
    async (other) => {
      const name = `${other.kind}-changer`;
      const { body: made } = await asAdmin(post({ name, ...other }));
      const { body } = await asAdmin({ method: 'PUT', path: `${agents}/${name}`, body: http(name) });
      expect(body.data.secret).toMatch(/^whsec_/);
      expect(await storedSecret(made.id)).toBe(body.data.secret);
      const changed = await asAdmin({ method: 'PUT', path: `${agents}/${name}`, body: other });
      expect(changed.body.data).toMatchObject(other);
      expect(await storedSecret(made.id)).toBeNull();
    },
  );
});

describe('replacing a secret', () => {
  const [first, second, third] = [generateSecret(), generateSecret(), generateSecret()];
  /** Both as they are stored, and how long the one before still signs, in seconds. */
  async function secretsOf(id: string) {
    const row = await api.engine.database.one<{ now: Buffer; before: Buffer | null; seconds: number | null }>(
      `select secret_encrypted as now, previous_secret_encrypted as before,
              round(extract(epoch from previous_secret_until - now()))::int as seconds
         from agents where id = $1`,
      [id],
    );
    const read = (encrypted: Buffer | null) => encrypted && decryptSecret(api.secretKey, encrypted);
    return { now: read(row.now), before: read(row.before), seconds: row.seconds };
  }
  async function agentOf(user: string) {
    const send = api.as(user);
    const { body } = await send(post({ ...http('rotates'), secret: first }));
    const put = (more: object) =>
      send({ method: 'PUT', path: `${agents}/rotates`, body: { ...http('rotates'), ...more } });
    return { id: body.id as string, put, send };
  }
  const near = (seconds: number) => expect.closeTo(seconds, -1.5);

  it('keeps the one before for a day, and shows until when, not what', async () => {
    const { id, put, send } = await agentOf('quin');
    const { body } = await put({ secret: second });
    expect(await secretsOf(id)).toEqual({ now: second, before: first, seconds: near(86_400) });
    const until = Date.parse(body.data.previous_secret_until);
    expect((until - Date.now()) / 1_000).toEqual(near(86_400));
    expect(JSON.stringify(body)).not.toContain('whsec_');
    const read = await send({ path: `${agents}/rotates` });
    expect(read.body.data.previous_secret_until).toBe(body.data.previous_secret_until);
    expect(JSON.stringify((await send({ path: agents })).body)).not.toContain('whsec_');
  });

  it('keeps it for as long as is said, and the last one before alone', async () => {
    const { id, put } = await agentOf('rob');
    await put({ secret: second, secret_overlap_seconds: 600 });
    expect(await secretsOf(id)).toEqual({ now: second, before: first, seconds: near(600) });
    await put({ secret: third, secret_overlap_seconds: 1_200 });
    expect(await secretsOf(id)).toEqual({ now: third, before: second, seconds: near(1_200) });
    await put({ secret: first, secret_overlap_seconds: 0 });
    expect(await secretsOf(id)).toEqual({ now: first, before: null, seconds: null });
  });

  it('is the same when the request comes again', async () => {
    const { id, put } = await agentOf('sue');
    await put({ secret: second, secret_overlap_seconds: 600 });
    await put({ secret: second });
    expect(await secretsOf(id)).toEqual({ now: second, before: first, seconds: near(600) });
    // A change of something else leaves both.
    await put({ timeout: 5 });
    expect(await secretsOf(id)).toEqual({ now: second, before: first, seconds: near(600) });
  });

  it('is over when somebody says so, and does not begin again', async () => {
    const { id, put } = await agentOf('tom');
    await put({ secret: second });
    expect((await put({ secret_overlap_seconds: 0 })).body.data.previous_secret_until).toBeNull();
    expect(await secretsOf(id)).toEqual({ now: second, before: null, seconds: null });
    await put({ secret_overlap_seconds: 600 });
    expect(await secretsOf(id)).toEqual({ now: second, before: null, seconds: null });
  });

  it('is over when its time is, and what is left of it goes with the next change', async () => {
    const { id, put, send } = await agentOf('uma');
    await put({ secret: second });
    await api.engine.database.execute(
      `update agents set previous_secret_until = now() - interval '1 second' where id = $1`,
      [id],
    );
    expect((await send({ path: `${agents}/rotates` })).body.data.previous_secret_until).toBeNull();
    await put({ secret_overlap_seconds: 600 });
    expect(await secretsOf(id)).toEqual({ now: second, before: null, seconds: null });
  });

  it('is nothing for agents whose calls are not signed', async () => {
    const { id, put } = await agentOf('wim');
    await put({ secret: second });
    const topic = { kind: 'kafka', topic: 'agent.rotates' };
    const path = `${agents}/${id}`;
    expect(
      await asAdmin({ method: 'PUT', path, body: { ...topic, secret_overlap_seconds: 60 } }),
    ).toMatchObject({ status: 400, body: { details: [{ path: 'secret_overlap_seconds' }] } });
    expect((await asAdmin({ method: 'PUT', path, body: topic })).status).toBe(200);
    const { now, before } = await secretsOf(id);
    expect([now, before]).toEqual([null, null]);
  });

  it.each([-1, 2_592_001, 0.5, '60', null])('refuses an overlap of %j', async (secret_overlap_seconds) => {
    const { put } = await agentOf(`vic-${secret_overlap_seconds}`);
    expect(await put({ secret: second, secret_overlap_seconds })).toMatchObject({
      status: 400,
      body: { details: [{ path: 'secret_overlap_seconds' }] },
    });
  });
});
