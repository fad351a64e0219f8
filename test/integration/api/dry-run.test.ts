import { v7 as uuidv7 } from 'uuid';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { createApi } from '../../../functions/api/create-api.ts';
import { createDryRun } from '../../../shared/application/dry-run/dry-run.ts';
import { limits } from '../../../shared/config/limits.ts';
import { createKafka } from '../../../shared/kafka/client.ts';
import { createAgentExamples } from '../../../shared/persistence/agent-examples.ts';
import { apiContext, apiEvent, responseOf } from '../../support/api-event.ts';
import { eventually } from '../../support/eventually.ts';
import { unregisteredAgents } from './api-harness.ts';
import { codeOf, openRunHarness, type RunHarness } from './run-harness.ts';

let api: RunHarness;
beforeAll(async () => {
  api = await openRunHarness({ databaseUrl: inject('databaseUrl'), kafkaBrokers: inject('kafkaBrokers') });
});
afterAll(() => api?.close());

const testOf = (body?: unknown, workflowId = api.workflowId) => ({
  method: 'POST',
  path: `/api/v1/workflows/${workflowId}/test`,
  body,
});
const test = (body?: unknown, workflowId?: string) => api.as('ann')(testOf(body, workflowId));
const pathsOf = (answer: { body: { details: { path: string }[] } }) =>
  answer.body.details.map(({ path }) => path).sort();

const input_data = { source_url: 's3://bucket/data.csv' };

/** A workflow of ann's with these steps, one after the other, each getting what the one before brought. */
async function workflowOf(steps: Record<string, object>, name: string): Promise<string> {
  const ids = Object.keys(steps);
  const chained = ids.map((id, i) => [
    id,
    {
      agent_name: `${id}-agent`,
      next_step: ids[i + 1] ?? null,
      input_mapping: i === 0 ? { given: '$.workflow_input' } : { before: `$['${ids[i - 1]}'].output_data` },
      ...steps[id],
    },
  ]);
  const body = { name, start_step: ids[0], steps: Object.fromEntries(chained) };
  const made = await api.as('ann')({ method: 'POST', path: '/api/v1/workflows', body });
  expect(made.status).toBe(201);
  return made.body.id;
}

async function rowCounts(): Promise<Record<string, number>> {
  const { database } = api.engine;
  const tables = await database.many<{ name: string }>(
    `select table_name as name from information_schema.tables where table_schema = 'public'`,
  );
  expect(tables.length).toBeGreaterThan(10);
  const counts: Record<string, number> = {};
  for (const { name } of tables) {
    counts[name] = (await database.one<{ n: number }>(`select count(*) as n from ${name}`)).n;
  }
  return counts;
}

async function topicOffsets(): Promise<Record<string, unknown>> {
  const admin = createKafka({ brokers: inject('kafkaBrokers').split(','), clientId: 'test' }).admin();
  await admin.connect();
  // A topic that was created just now may have no leader yet.
  const offsetsOf = (topic: string) =>
    eventually(
      `the offsets of ${topic}`,
      () => admin.fetchTopicOffsets(topic).catch(() => null),
      (offsets) => offsets !== null,
    );
  try {
    const entries = Object.values(api.topics).map(async (topic) => [topic, await offsetsOf(topic)]);
    return Object.fromEntries(await Promise.all(entries));
  } finally {
    await admin.disconnect();
  }
}

describe('a test', () => {
  it('answers as documented', async () => {
    const { status, body } = await test({
      community_id: 123,
      variables: { source_url: 's3://bucket/data.csv' },
      metadata: { session_id: 'test_sess_123' },
      mocks: { extract: { output: { rows: 3 }, logs: ['Node execution log 1'] } },
    });
    expect(status).toBe(200);
    const time = expect.stringMatching(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/);
    const attempts = [
      {
        attempt: 1,
        status: 'completed',
        started_at: time,
        completed_at: time,
        error: null,
        error_type: null,
      },
    ];
    const node = {
      status: 'completed',
      started_at: time,
      completed_at: time,
      duration_seconds: 0,
      retry_count: 0,
      attempts,
      logs: [],
      error: null,
      error_type: null,
    };
    expect(body).toEqual({
      success: true,
      message: 'Workflow test completed',
      data: {
        execution_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        workflow_id: api.workflowId,
        test_mode: true,
        status: 'completed',
        execution_time_seconds: 0,
        execution_path: ['extract', 'transform'],
        trace: [
          {
            ...node,
            node_id: 'extract',
            key: 'extract',
            input: { source: 's3://bucket/data.csv' },
            output: { result: { rows: 3 } },
            output_source: 'mock',
            logs: ['Node execution log 1'],
            metadata: { step_name: 'extract', step_type: 'agent', visit: 1, scope: '' },
          },
          {
            ...node,
            node_id: 'transform',
            key: 'transform',
            input: { data: { rows: 3 } },
            output: { result: { data: { rows: 3 } } },
            output_source: 'echo',
            metadata: { step_name: 'transform', step_type: 'agent', visit: 1, scope: '' },
          },
        ],
        branches_not_taken: [],
        unused_mocks: [],
        final_variables: { source_url: 's3://bucket/data.csv' },
        final_output: { data: { rows: 3 } },
        error_message: null,
        error_node_id: null,
        summary: { nodes_executed: 2, nodes_failed: 0, nodes_skipped: 0, total_duration: 0, passed: true },
      },
      meta: { warnings: unregisteredAgents },
    });
  });

  it('leaves nothing behind: no row in any table, no message on any topic', async () => {
    // A key without a tier's limit, used already: what admits a request is not what the test leaves.
    const { key } = await api.makeApiKey('ann');
    const headers = { 'X-API-Key': key };
    await api.send({ ...testOf(), headers });
    const [rows, offsets] = [await rowCounts(), await topicOffsets()];
    const failing = { extract: { error: { code: 'X', message: 'x' } } };
    for (const body of [{ input_data }, { input_data, mocks: failing }, { nonsense: 1 }]) {
      const { status } = await api.send({ ...testOf(body), headers });
      expect(status).toBe('nonsense' in body ? 400 : 200);
    }
    expect(await rowCounts()).toEqual(rows);
    expect(await topicOffsets()).toEqual(offsets);
    // A real execution shows in both.
    await api.startedRun();
    expect(await rowCounts()).not.toEqual(rows);
    expect(await topicOffsets()).not.toEqual(offsets);
  });

  it('leaves its result in the log', async () => {
    const linesOf = async (body: unknown) => {
      const before = api.lines.length;
      await test(body);
      return api.lines.slice(before + 1).map((line) => line.replace(/^\[\S+\] (\w+) \S+/, '$1'));
    };
    const community = { community_id: 123, variables: {} };
    expect(await linesOf(community)).toEqual([
      'INFO AUDIT community=123 user=ann action=test_workflow result=SUCCESS',
    ]);
    const mocks = { extract: { error: { code: 'BAD', message: 'no', retryable: false } } };
    expect(await linesOf({ ...community, mocks })).toEqual([
      'INFO AUDIT community=123 user=ann action=test_workflow result=FAILURE',
      'WARN ERROR community=123 user=ann action=test_workflow result=FAILURE',
    ]);
  });

  it('needs no body, and takes the newest version', async () => {
    const id = await workflowOf({ one: {} }, 'grows');
    expect((await test(undefined, id)).body.data.execution_path).toEqual(['one']);
    expect(await workflowOf({ one: {}, two: {} }, 'grows')).toBe(id);
    expect((await test({}, id)).body.data).toMatchObject({
      execution_path: ['one', 'two'],
      final_variables: {},
    });
  });

  it('is 404 for what does not exist or may not be seen, 403 without can_execute', async () => {
    expect(codeOf(await test({}, '01933cf0-0000-7000-8000-000000000000'))).toEqual([
      404,
      'WORKFLOW_NOT_FOUND',
    ]);
    expect(codeOf(await test({}, 'no-uuid'))).toEqual([404, 'WORKFLOW_NOT_FOUND']);
    expect(codeOf(await api.as('sam')(testOf('{')))).toEqual([404, 'WORKFLOW_NOT_FOUND']);
    const grants = `/api/v1/workflows/${api.workflowId}/permissions`;
    await api.as('ann')({ method: 'PUT', path: grants, body: { user_id: 'val', can_view: true } });
    expect(codeOf(await api.as('val')(testOf('{')))).toEqual([403, 'PERMISSION_DENIED']);
    const { key } = await api.makeApiKey('ann', [], { scopes: ['read'] });
    expect(codeOf(await api.send({ ...testOf(), headers: { 'X-API-Key': key } }))).toEqual([
      403,
      'PERMISSION_DENIED',
    ]);
  });
});

describe('agents’ answers', () => {
  const register = (who: string, name: string, example_output: unknown) =>
    api.as(
      who,
      who === 'root' ? { roles: ['admin'] } : {},
    )({
      method: 'POST',
      path: '/api/v1/agents',
      body: { name, url: 'https://agents.example.com/', example_output },
    });

  it('are the mocks, else the examples of agents that the owner sees, their own first, else echoes', async () => {
    const id = await workflowOf({ mocked: {}, own: {}, everybodys: {}, shadowed: {}, others: {} }, 'sources');
    for (const [who, step, example] of [
      ['root', 'mocked', 'everybody’s mocked'],
      ['root', 'own', 'everybody’s own'],
      ['ann', 'own', { of: 'ann' }],
      ['root', 'everybodys', 'everybody’s'],
      ['root', 'shadowed', 'everybody’s shadowed'],
      ['ann', 'shadowed', undefined],
      ['zoe', 'others', 'zoe’s'],
    ]) {
      expect((await register(who as string, `${step}-agent`, example)).status).toBe(201);
    }
    // A caller who may execute it gets the same: a run's agents are the owner's.
    const path = `/api/v1/workflows/${id}/permissions`;
    await api.as('ann')({ method: 'PUT', path, body: { user_id: 'zoe', can_execute: true } });
    for (const who of ['ann', 'zoe']) {
      const { body } = await api.as(who)(testOf({ mocks: { mocked: { output: null } } }, id));
      expect(
        body.data.trace.map((node: { output: { result: unknown }; output_source: string }) => [
          node.output_source,
          node.output.result,
        ]),
      ).toEqual([
        ['mock', null],
        ['example', { of: 'ann' }],
        ['example', 'everybody’s'],
        ['echo', { before: 'everybody’s' }],
        ['echo', { before: { before: 'everybody’s' } }],
      ]);
    }
  });

  it('fail and are repeated as the retry policy has it, at virtual times', async () => {
    const retry = {
      max_attempts: 3,
      initial_interval_ms: 3_600_000,
      max_interval_ms: 86_400_000,
      jitter: 'none',
    };
    const id = await workflowOf({ flaky: { retry }, after: {} }, 'flaky');
    const busy = { error: { code: 'BUSY', message: 'Later' } };
    const { body } = await test({ mocks: { flaky: [busy, busy, { output: 'at last' }] } }, id);
    expect(body.data).toMatchObject({ status: 'completed', execution_time_seconds: 10_800 });
    const [flaky, after] = body.data.trace;
    expect(flaky).toMatchObject({
      status: 'completed',
      retry_count: 2,
      duration_seconds: 10_800,
      output: { result: 'at last' },
    });
    const begun = Date.parse(flaky.started_at);
    const hours = (time: string) => (Date.parse(time) - begun) / 3_600_000;
    expect(
      flaky.attempts.map((one: { attempt: number; error_type: string; started_at: string }) => [
        one.attempt,
        one.error_type,
        hours(one.started_at),
      ]),
    ).toEqual([
      [1, 'BUSY', 0],
      [2, 'BUSY', 1],
      [3, null, 3],
    ]);
    expect(hours(after.started_at)).toBe(3);
  });

  it('fail the run for good, and what comes after is not entered', async () => {
    const mocks = {
      extract: { error: { code: 'NO_FILE', message: 'There is no such file', retryable: false } },
      transform: { output: 1 },
    };
    const { status, body } = await test({ input_data, mocks });
    expect(status).toBe(200);
    expect(body.data).toMatchObject({
      status: 'failed',
      error_node_id: 'extract',
      error_message: expect.stringContaining('There is no such file'),
      final_output: null,
      trace: [
        {
          node_id: 'extract',
          status: 'failed',
          output: {},
          error: 'There is no such file',
          error_type: 'NO_FILE',
        },
      ],
      branches_not_taken: [{ from: 'extract', to: 'transform' }],
      unused_mocks: ['transform'],
      summary: { nodes_executed: 1, nodes_failed: 1, nodes_skipped: 1, passed: false },
    });
  });

  it('that together are larger than an input may be fail the step that gets them', async () => {
    const output = 'x'.repeat(limits.maxPayloadBytes - 2);
    const { body } = await test({ mocks: { extract: { output } } });
    expect(body.data).toMatchObject({ status: 'failed', error_node_id: 'transform' });
    expect(body.data.trace[1]).toMatchObject({ error_type: 'DATA_LIMIT', output_source: null });
  });
});

describe('a request is refused', () => {
  const error = { code: 'X', message: 'x' };
  const line = 'x'.repeat(limits.maxLogLineLength + 1);
  it.each<[what: string, body: unknown, paths: string[]]>([
    [
      'for unknown steps',
      { mocks: { extrct: { output: 1 }, nope: { output: 1 } } },
      ['mocks.extrct', 'mocks.nope'],
    ],
    ['for ids that every object has', { mocks: { constructor: { output: 1 } } }, ['mocks.constructor']],
    ['for __proto__', '{"mocks": {"__proto__": {"output": 1}}}', ['mocks.__proto__']],
    ['for mocks that are a list', { mocks: [{ output: 1 }] }, ['mocks']],
    ['for a mock that is a value', { mocks: { extract: 1 } }, ['mocks.extract']],
    ['for neither output nor error', { mocks: { extract: {} } }, ['mocks.extract']],
    ['for both', { mocks: { extract: { output: 1, error } } }, ['mocks.extract']],
    ['for none in a list', { mocks: { extract: [] } }, ['mocks.extract']],
    ['for a list in a list', { mocks: { extract: [[{ output: 1 }]] } }, ['mocks.extract.0']],
    [
      'for one of a list',
      { mocks: { extract: [{ output: 1 }, { outptu: 1 }] } },
      ['mocks.extract.1', 'mocks.extract.1.outptu'],
    ],
    ['for an error that is text', { mocks: { extract: { error: 'X' } } }, ['mocks.extract.error']],
    [
      'for parts of an error',
      { mocks: { extract: { error: { code: '', retryable: 1 } } } },
      ['mocks.extract.error.code', 'mocks.extract.error.message', 'mocks.extract.error.retryable'],
    ],
    [
      'for log lines that are too long',
      { mocks: { extract: { output: 1, logs: [line] } } },
      ['mocks.extract.logs.0'],
    ],
    ['for variables without a community', { variables: {} }, ['community_id']],
    ['for two inputs', { variables: {}, input_data, community_id: 1 }, ['variables']],
    [
      'for everything at once',
      { mocks: { nope: { output: 1 }, extract: { output: 1, error } }, variables: {}, color: 'red' },
      ['color', 'community_id', 'mocks.extract', 'mocks.nope'],
    ],
    [
      'for more mocks than there may be',
      { mocks: { extract: Array.from({ length: limits.maxMocks + 1 }, () => ({ output: 1 })) } },
      ['mocks'],
    ],
  ])('%s', async (_what, body, paths) => {
    const answer = await test(body);
    expect(codeOf(answer)).toEqual([400, 'BAD_REQUEST']);
    expect(pathsOf(answer)).toEqual(paths);
  });

  it('with the step that was probably meant', async () => {
    const { body } = await test({ mocks: { extrct: { output: 1 }, nope: { output: 1 } } });
    expect(body.details).toEqual([
      {
        path: 'mocks.extrct',
        message: 'expected the id of a step of this workflow, did you mean "extract"?',
      },
      { path: 'mocks.nope', message: 'expected the id of a step of this workflow' },
    ]);
  });

  it('with 413 for an output, or all together, larger than they may be', async () => {
    const output = 'x'.repeat(limits.maxPayloadBytes);
    const one = await test({ mocks: { extract: [{ output: 1 }, { output }], transform: { output } } });
    expect(codeOf(one)).toEqual([413, 'PAYLOAD_TOO_LARGE']);
    expect(pathsOf(one)).toEqual(['mocks.extract.1.output', 'mocks.transform.output']);
    const all = await test({ mocks: { extract: Array.from({ length: 11 }, () => ({ output })) } });
    expect(codeOf(all)).toEqual([413, 'PAYLOAD_TOO_LARGE']);
    expect(pathsOf(all)).toEqual(['']);
  });
});

describe('a test that does not end in time', () => {
  const unlimited = {
    maxSteps: 1_000,
    maxTimeMs: 60_000,
    maxDataLength: 1_000_000,
    maxExamplesBytes: 1_000_000,
  };

  async function testWithin(given: Partial<typeof unlimited>, tickMs = 0) {
    const { engine, services } = api;
    let now = Date.now();
    const dryRun = createDryRun({
      plans: engine.plans,
      examples: createAgentExamples(engine.database),
      clock: {
        now: () => {
          now += tickMs;
          return now;
        },
      },
      nextId: () => uuidv7(),
      limits: { ...unlimited, ...given },
    });
    const handler = createApi({ ...services, dryRun });
    const { key } = await api.makeApiKey('ann');
    const event = apiEvent({ ...testOf({ input_data }), headers: { 'X-API-Key': key } });
    return responseOf(await handler(event, apiContext));
  }

  it.each([
    ['step_limit', { maxSteps: 1 }, 0],
    ['time_limit', { maxTimeMs: 10 }, 6],
    ['data_limit', { maxDataLength: 10 }, 0],
  ])('is 504 with %s', async (reason, given, tickMs) => {
    const answer = await testWithin(given, tickMs);
    expect(codeOf(answer)).toEqual([504, 'EXECUTION_TIMEOUT']);
    expect(answer.body).toMatchObject({ success: false, details: { reason } });
  });

  it('ends within the same limits where it is shorter', async () => {
    expect((await testWithin({ maxSteps: 2, maxTimeMs: 60 }, 6)).status).toBe(200);
  });

  it('is 400 where the agents’ examples are more than are held at once', async () => {
    const agent = {
      name: 'data-extractor',
      url: 'https://agents.example.com/',
      example_output: 'x'.repeat(100),
    };
    await api.as('ann')({ method: 'POST', path: '/api/v1/agents', body: agent });
    const answer = await testWithin({ maxExamplesBytes: 101 });
    expect(codeOf(answer)).toEqual([400, 'BAD_REQUEST']);
    expect(pathsOf(answer)).toEqual(['mocks']);
    expect((await testWithin({ maxExamplesBytes: 102 })).status).toBe(200);
  });
});
