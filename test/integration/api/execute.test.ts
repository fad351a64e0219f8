import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { limits } from '../../../shared/config/limits.ts';
import { dataPipeline, unregisteredAgents } from './api-harness.ts';
import { codeOf, openRunHarness, type RunHarness } from './run-harness.ts';

let api: RunHarness;
beforeAll(async () => {
  api = await openRunHarness({ databaseUrl: inject('databaseUrl'), kafkaBrokers: inject('kafkaBrokers') });
});
afterAll(() => api?.close());

const input = { source_url: 's3://bucket/data.csv' };

describe('executing', () => {
  it('answers 202 with the envelope, run_id and status beside it', async () => {
    const { status, body, headers } = await api.as('ann')(
      api.execute({ input_data: input, metadata: { session_id: 's' } }),
    );
    expect(status).toBe(202);
    expect(body).toEqual({
      success: true,
      message: 'Workflow execution started',
      data: {
        execution_id: body.run_id.slice('run-'.length),
        workflow_id: api.workflowId,
        status: 'running',
        start_time: expect.stringMatching(/Z$/),
        execution_path: [],
      },
      meta: { warnings: unregisteredAgents },
      run_id: expect.stringMatching(/^run-[0-9a-f-]{36}$/),
      status: 'PENDING',
    });
    expect(headers.Location).toBe(`/api/v1/runs/${body.run_id}`);
    const run = await api.as('ann')({ path: `/api/v1/runs/${body.run_id}` });
    expect(run.body.data.start_time).toBeUndefined();
    expect(run.body.data.created_at).toBe(body.data.start_time);
  });

  it('takes variables with a community instead, or nothing at all', async () => {
    const withVariables = await api.startedRun({
      community_id: 123,
      variables: { a: 1 },
      metadata: { b: 2 },
    });
    const { body } = await api.as('ann')({ path: `/api/v1/runs/${withVariables}` });
    expect(body.data).toMatchObject({
      community_id: 123,
      variables: { a: 1 },
      metadata: { b: 2 },
      input_data: null,
    });
    for (const nothing of [undefined, '', {}, { input_data: null, variables: null }]) {
      expect((await api.as('ann')(api.execute(nothing))).status).toBe(202);
    }
  });

  it('tells who sends the input as the body where it goes', async () => {
    const { status, body } = await api.as('ann')(api.execute({ message: 'hi', metdata: {} }));
    expect([status, body.details]).toEqual([
      400,
      [
        {
          path: 'message',
          message: 'unknown field: your own data goes in input_data, this as input_data.message',
        },
        { path: 'metdata', message: 'unknown field, did you mean "metadata"?' },
      ],
    ]);
  });

  it('warns of no agent that is registered', async () => {
    const eve = api.as('eve');
    for (const name of ['data-extractor', 'data-transformer'])
      await eve({
        method: 'POST',
        path: '/api/v1/agents',
        body: { name, url: 'https://agents.example.com/' },
      });
    const { body: made } = await eve({ method: 'POST', path: '/api/v1/workflows', body: dataPipeline });
    expect(made.meta).toEqual({ warnings: [] });
    const path = `/api/v1/workflows/${made.id}/execute`;
    const started = await eve({ method: 'POST', path, body: { input_data: input } });
    expect([started.status, started.body.meta]).toEqual([202, { warnings: [] }]);
  });

  const deep = JSON.parse(`${'['.repeat(500)}${']'.repeat(500)}`);
  const tooMuch = 'x'.repeat(limits.maxPayloadBytes);
  it.each<[what: string, body: unknown, status: number, paths: string[]]>([
    ['both forms', { input_data: {}, variables: {}, community_id: 1 }, 400, ['variables']],
    ['both forms, no community', { input_data: {}, variables: {} }, 400, ['variables', 'community_id']],
    ['variables without a community', { variables: {} }, 400, ['community_id']],
    [
      'wrong types',
      { input_data: 'x', metadata: [], community_id: '1' },
      400,
      ['input_data', 'community_id', 'metadata'],
    ],
    [
      'wrong types and both forms',
      { input_data: 'x', variables: 1 },
      400,
      ['input_data', 'variables', 'variables', 'community_id'],
    ],
    ['a fraction of a community', { variables: {}, community_id: 1.5 }, 400, ['community_id']],
    ['unknown fields', { message: 'hi', input: {} }, 400, ['message', 'input']],
    ['an array', [], 400, ['']],
    ['not JSON', '{', 400, ['']],
    [
      'depth 500',
      { input_data: { deep } },
      400,
      [expect.stringMatching(/^input_data\.deep(\.0)+$/)] as unknown as string[],
    ],
    ['__proto__', '{"input_data":{"__proto__":{"admin":true}}}', 400, ['input_data.__proto__']],
    ['U+0000', { input_data: { a: 'x\u0000' } }, 400, ['input_data.a']],
    ['U+0000 in a key', { input_data: { 'x\u0000': 1 } }, 400, ['input_data']],
    ['a lone surrogate', '{"input_data":{"a":"\\ud800"}}', 400, ['input_data.a']],
    ['1e400', '{"input_data":{"a":1e400}}', 400, ['input_data.a']],
    ['an input that is too large', { input_data: { tooMuch } }, 413, ['input_data']],
    [
      'all too large',
      { variables: { tooMuch }, community_id: 1, metadata: { tooMuch } },
      413,
      ['variables', 'metadata'],
    ],
    ['2 MB', { input_data: { x: 'x'.repeat(2_000_000) } }, 413, ['']],
  ])('refuses %s', async (_what, body, status, paths) => {
    const answer = await api.as('ann')(api.execute(body));
    expect(codeOf(answer)).toEqual([status, status === 413 ? 'PAYLOAD_TOO_LARGE' : 'BAD_REQUEST']);
    expect(answer.body.details.map(({ path }: { path: string }) => path)).toEqual(paths);
  });

  it('takes an input of exactly the limit', async () => {
    const room = limits.maxPayloadBytes - JSON.stringify({ x: '' }).length;
    expect((await api.as('ann')(api.execute({ input_data: { x: 'x'.repeat(room) } }))).status).toBe(202);
    expect((await api.as('ann')(api.execute({ input_data: { x: 'x'.repeat(room + 1) } }))).status).toBe(413);
  });

  it('runs the newest version, also when an earlier one was executed just before', async () => {
    const asLea = api.as('lea');
    const { body: made } = await asLea({ method: 'POST', path: '/api/v1/workflows', body: dataPipeline });
    const versionsOf = async () => {
      const { body } = await asLea(api.execute({}, made.id));
      const run = await asLea({ path: `/api/v1/runs/${body.run_id}` });
      return [run.body.data.workflow_id, run.body.data.version];
    };
    expect(await versionsOf()).toEqual(['wf-data-pipeline-1', 1]);
    await asLea({ method: 'POST', path: '/api/v1/workflows', body: dataPipeline });
    expect(await versionsOf()).toEqual(['wf-data-pipeline-2', 2]);
    expect(await versionsOf()).toEqual(['wf-data-pipeline-2', 2]);
  });

  it('belongs to the workflow’s owner when an admin starts it', async () => {
    const { body } = await api.as('root', { roles: ['admin'] })(api.execute({}));
    const run = await api.as('ann')({ path: `/api/v1/runs/${body.run_id}` });
    expect(run.body.data.triggered_by).toBe('root');
  });
});
