import { fork } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAgentGuards } from '../../../shared/agents/agent-guards.ts';
import { createHttpAgentCaller } from '../../../shared/agents/call-http-agent.ts';
import { generateSecret } from '../../../shared/agents/secrets.ts';
import type { Json } from '../../../shared/engine/json.ts';

const secret = generateSecret();
const caller = createHttpAgentCaller({
  guards: createAgentGuards({ agentAllowedCidrs: ['127.0.0.0/8'], userAgentAllowedCidrs: [] }),
  clock: Date.now,
});
const server = new URL('../../../localstack/agents/server.ts', import.meta.url);
let child: ReturnType<typeof fork>;
let base: string;

beforeAll(async () => {
  child = fork(server, { execArgv: [], env: { ...process.env, AGENTS_SECRET: secret } });
  const [{ port }] = (await once(child, 'message')) as [{ port: number }];
  base = `http://127.0.0.1:${port}`;
});
afterAll(() => caller.close());

const call = (agent: string, input: Json, signedWith: string | null = secret) =>
  caller.call({
    agent: {
      name: agent,
      address: `${base}/agents/${agent}`,
      owner: null,
      secrets: signedWith === null ? [] : [signedWith],
    },
    timeoutMs: 5_000,
    idempotencyKey: 'k',
    body: {
      run_id: 'r',
      step_execution_id: 's',
      step_id: 'x',
      attempt: 1,
      input_data: input,
      callback_url: 'http://x',
    },
  });

describe('the demo agents', () => {
  const extracted = {
    source: 's3://bucket',
    records: [
      { id: 1, name: 'alpha', value: 10 },
      { id: 2, name: 'beta', value: 20 },
      { id: 3, name: 'gamma', value: 30 },
    ],
    record_count: 3,
  };
  const transformed = {
    source: 's3://bucket',
    records: [
      { id: 1, name: 'ALPHA', value: 10 },
      { id: 2, name: 'BETA', value: 20 },
      { id: 3, name: 'GAMMA', value: 30 },
    ],
    summary: { record_count: 3, total_value: 60 },
  };
  it.each<[string, Json, Json]>([
    ['echo-agent', { message: 'ümläut' }, { message: 'ümläut' }],
    ['echo-agent', null, null],
    ['test-agent', { a: 1 }, { result: { a: 1 } }],
    ['data-extractor', { source: 's3://bucket' }, extracted],
    ['data-transformer', { data: extracted }, transformed],
    ['data-transformer', { data: extracted.records }, { ...transformed, source: null }],
    [
      'data-transformer',
      'nothing',
      { source: null, records: [], summary: { record_count: 0, total_value: 0 } },
    ],
  ])('%s makes of %j', async (agent, input, output) => {
    expect(await call(agent, input)).toEqual({ status: 'completed', output, logs: null });
  });

  it.each([
    ['another secret', generateSecret()],
    ['no secret', null],
  ])('refuse a call signed with %s', async (_, other) => {
    expect(await call('echo-agent', 1, other)).toMatchObject({
      error: { code: 'BAD_SIGNATURE', retryable: false },
    });
  });

  it('that do not exist are not there', async () => {
    for (const name of ['nobody', '__proto__', 'toString', '']) {
      expect(await call(name, 1)).toMatchObject({ error: { code: 'UNKNOWN_AGENT', retryable: false } });
    }
  });

  it('are healthy', async () => {
    const { statusCode, body } = await request(`${base}/health`);
    expect([statusCode, await body.json()]).toEqual([200, { status: 'healthy' }]);
  });

  it('end with their parent', async () => {
    child.disconnect();
    const [code] = await once(child, 'exit');
    expect(code).toBe(0);
  });
});
