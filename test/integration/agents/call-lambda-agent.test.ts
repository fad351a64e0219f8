import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { AgentCall, AgentCaller } from '../../../shared/agents/agent-call.ts';
import { createLambdaAgentCaller } from '../../../shared/agents/call-lambda-agent.ts';
import { limits } from '../../../shared/config/limits.ts';

const ARN = 'arn:aws:lambda:eu-west-1:123456789012:function:extractor:live';
const call: AgentCall = {
  agent: { name: 'extractor', address: ARN, owner: null, secrets: [] },
  timeoutMs: 5_000,
  idempotencyKey: 'run-1:extract:1',
  body: {
    run_id: 'run-1',
    step_execution_id: 'step-1',
    step_id: 'extract',
    attempt: 1,
    input_data: { source: 'ümläut' },
    callback_url: 'http://127.0.0.1:8000/api/v1/callbacks/step-1/token',
  },
};

interface Seen {
  readonly url: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

const open: { close(): unknown }[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const one of open.splice(0).toReversed()) await one.close();
});

/** Lambda's Invoke API as it is on the wire: it answers what the test says. */
async function lambda(answer: (response: ServerResponse, seen: Seen) => void) {
  const requests: Seen[] = [];
  const sockets = new Set<unknown>();
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const seen = { url: request.url, headers: request.headers, body: Buffer.concat(chunks).toString() };
    requests.push(seen);
    answer(response, seen);
  });
  server.on('connection', (socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push({
    close() {
      server.closeAllConnections();
      server.close();
    },
  });
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests, sockets };
}

const warnings: object[] = [];
function caller(endpoint: string, clock: () => number = Date.now): AgentCaller {
  warnings.length = 0;
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  const created = createLambdaAgentCaller({
    clock,
    warn: (message, details) => warnings.push({ message, ...details }),
    client: { endpoint, region: 'eu-west-1', credentials },
  });
  open.push(created);
  return created;
}

const payload = (response: ServerResponse, body: string | Buffer, headers: Record<string, string> = {}) =>
  response.writeHead(200, { 'x-amz-executed-version': '3', ...headers }).end(body);
const refusal =
  (status: number, type: string, body: object = {}, headers: Record<string, string> = {}) =>
  (response: ServerResponse) =>
    response
      .writeHead(status, { 'content-type': 'application/json', 'x-amzn-errortype': type, ...headers })
      .end(JSON.stringify({ message: 'arn:aws:iam::123456789012:role/x', ...body }));

async function outcomeOf(answer: (response: ServerResponse) => void, rest: Partial<AgentCall> = {}) {
  const { endpoint } = await lambda(answer);
  return caller(endpoint).call({ ...call, ...rest });
}

describe('an invocation', () => {
  it('waits for the function, and gives it what an HTTP agent gets, with the idempotency key in it', async () => {
    const { endpoint, requests } = await lambda((response) => payload(response, '{"rows":[1,"ü"]}'));
    expect(await caller(endpoint).call(call)).toEqual({
      status: 'completed',
      output: { rows: [1, 'ü'] },
      logs: null,
    });
    expect(requests).toHaveLength(1);
    const { url = '', headers, body } = requests[0] as Seen;
    expect(decodeURIComponent(url)).toBe(`/2015-03-31/functions/${ARN}/invocations`);
    expect(headers['x-amz-invocation-type']).toBe('RequestResponse');
    expect(headers.authorization).toMatch(/^AWS4-HMAC-SHA256 .*\/eu-west-1\/lambda\//);
    expect(JSON.parse(body)).toEqual({ ...call.body, idempotency_key: 'run-1:extract:1' });
  });

  it('goes where AWS_ENDPOINT_URL says, as the SDK’s other settings come from the environment', async () => {
    const { endpoint, requests } = await lambda((response) => payload(response, '1'));
    const variables = {
      AWS_ENDPOINT_URL: endpoint,
      AWS_REGION: 'ap-south-1',
      AWS_ACCESS_KEY_ID: 'id',
      AWS_SECRET_ACCESS_KEY: 'x',
    };
    for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
    const fromEnvironment = createLambdaAgentCaller({ clock: Date.now, warn: () => {} });
    open.push(fromEnvironment);
    expect(await fromEnvironment.call(call)).toMatchObject({ output: 1 });
    expect(requests[0]?.headers.authorization).toMatch(/Credential=id\/\d+\/ap-south-1\//);
  });

  it('uses connections again, but none that may have been closed while nobody looked', async () => {
    const { endpoint, sockets } = await lambda((response) => payload(response, '1'));
    let now = 0;
    const { call: invoke } = caller(endpoint, () => now);
    for (let i = 0; i < 3; i++) await invoke(call);
    expect(sockets.size).toBe(1);
    now += 4_001;
    expect(await invoke(call)).toMatchObject({ output: 1 });
    expect(sockets.size).toBe(2);
  });

  it('is one of as many at a time as are asked for', async () => {
    const waiting: ServerResponse[] = [];
    const { endpoint } = await lambda((response) => {
      waiting.push(response);
      if (waiting.length === 128) for (const each of waiting) payload(each, '1');
    });
    const { call: invoke } = caller(endpoint);
    const outcomes = await Promise.all(Array.from({ length: 128 }, () => invoke(call)));
    expect(outcomes.every(({ status }) => status === 'completed')).toBe(true);
  });
});

describe('an answer', () => {
  it.each<[string, string, object]>([
    ['null', 'null', { status: 'completed', output: null }],
    ['nothing', '', { status: 'completed', output: null }],
    ['a status code of its own', '{"statusCode":500}', { status: 'completed', output: { statusCode: 500 } }],
    ['no JSON', 'done', { error: { code: 'AGENT_ANSWER_NOT_JSON', retryable: false } }],
    ['too deep', '['.repeat(101) + ']'.repeat(101), { error: { code: 'TOO_DEEP', retryable: false } }],
    ['what cannot be stored', '{"a":"\\u0000"}', { error: { code: 'UNSTORABLE', retryable: false } }],
    ['the largest output', `"${'x'.repeat(limits.maxPayloadBytes - 2)}"`, { status: 'completed' }],
    [
      'a byte too many',
      `"${'x'.repeat(limits.maxPayloadBytes - 1)}"`,
      { error: { code: 'DATA_LIMIT', retryable: false } },
    ],
  ])('of %s', async (_, body, outcome) => {
    expect(await outcomeOf((response) => payload(response, body))).toMatchObject(outcome);
  });

  it('that never ends is not read to its end', async () => {
    let written = 0;
    const outcome = await outcomeOf((response) => {
      const chunk = Buffer.alloc(64 * 1024, 'x');
      response.writeHead(200);
      const write = () => {
        while (!response.destroyed && response.write(chunk)) written += chunk.length;
        response.once('drain', write);
      };
      write();
    });
    expect(outcome).toMatchObject({ error: { code: 'DATA_LIMIT', retryable: false } });
    expect(written).toBeLessThan(64 * 1024 * 1024);
  });

  it('of exactly its callback URL as `accepted` means that the agent will call back', async () => {
    const accepted = call.body.callback_url;
    const answerOf = (value: unknown) => outcomeOf((response) => payload(response, JSON.stringify(value)));
    expect(await answerOf({ accepted })).toEqual({ status: 'accepted' });
    for (const output of [
      { accepted: true },
      { accepted: `${accepted}x` },
      { accepted, more: 1 },
      [accepted],
    ])
      expect(await answerOf(output)).toEqual({ status: 'completed', output, logs: null });
  });

  it('of an error of the function', async () => {
    const answer = (response: ServerResponse) =>
      payload(response, '{"errorType":"RangeError","errorMessage":"out of range","trace":[]}', {
        'x-amz-function-error': 'Unhandled',
      });
    expect(await outcomeOf(answer)).toEqual({
      status: 'failed',
      error: { code: 'RangeError', message: `out of range (agent "extractor" at ${ARN})`, retryable: true },
      logs: null,
    });
  });
});

describe('an exception', () => {
  it('is recognised as the SDK reads it, and not tried again within the attempt', async () => {
    const answer = refusal(
      429,
      'TooManyRequestsException',
      { Reason: 'ConcurrentInvocationLimitExceeded' },
      { 'retry-after': '3' },
    );
    const { endpoint, requests } = await lambda(answer);
    expect(await caller(endpoint).call(call)).toMatchObject({
      error: {
        code: 'AGENT_THROTTLED',
        message: expect.stringContaining('(TooManyRequestsException, ConcurrentInvocationLimitExceeded)'),
        retryable: true,
        retry_after_ms: 3_000,
      },
    });
    expect([requests.length, warnings]).toEqual([1, []]);
  });

  it.each<[number, string, string]>([
    [403, 'AccessDeniedException', 'AGENT_ACCESS_DENIED'],
    [404, 'ResourceNotFoundException', 'AGENT_FUNCTION_NOT_FOUND'],
    [502, 'KMSDisabledException', 'AGENT_MISCONFIGURED'],
    [413, 'RequestTooLargeException', 'AGENT_CALL_REFUSED'],
  ])('%i %s is final, and logged for whoever has to mend it', async (status, type, code) => {
    const outcome = await outcomeOf(refusal(status, type));
    expect(outcome).toMatchObject({ status: 'failed', error: { code, retryable: false } });
    expect(JSON.stringify(outcome)).not.toContain('role/x');
    expect(warnings).toEqual([
      {
        message: 'Lambda refused to invoke an agent',
        function: ARN,
        name: type,
        error: 'arn:aws:iam::123456789012:role/x',
      },
    ]);
  });

  it('of no form that the SDK knows is one by its status', async () => {
    expect(await outcomeOf((response) => response.writeHead(503).end('<html>'))).toMatchObject({
      error: { code: 'AGENT_UNAVAILABLE', retryable: true },
    });
    expect(await outcomeOf((response) => response.writeHead(400).end('<html>'))).toMatchObject({
      error: { code: 'AGENT_CALL_REFUSED', retryable: false },
    });
  });
});

describe('no answer', () => {
  const unreachable = { error: { code: 'AGENT_UNREACHABLE', retryable: true } };

  it('where nobody listens', async () => {
    expect(await caller('http://127.0.0.1:1').call(call)).toMatchObject({
      error: {
        ...unreachable.error,
        message: `The agent gave no complete answer: ECONNREFUSED 127.0.0.1:1 (agent "extractor" at ${ARN})`,
      },
    });
  });

  it('where the connection breaks, before and within the answer', async () => {
    expect(await outcomeOf((response) => response.destroy())).toMatchObject(unreachable);
    expect(
      await outcomeOf((response) => {
        response.writeHead(200, { 'content-length': '100' }).write('{"a":');
        setTimeout(() => response.destroy(), 20);
      }),
    ).toMatchObject(unreachable);
  });

  it.each<[string, (response: ServerResponse) => void]>([
    ['an answer', () => {}],
    ['its end', (response) => response.writeHead(200).write('{"a":')],
  ])('within the step’s time: %s does not come, and the connection is let go', async (_, answer) => {
    let closed = false;
    const began = performance.now();
    const outcome = await outcomeOf(
      (response) => {
        response.on('close', () => {
          closed = true;
        });
        answer(response);
      },
      { timeoutMs: 200 },
    );
    expect(outcome).toEqual({
      status: 'failed',
      error: {
        code: 'TIMEOUT',
        message: `The agent did not answer within 200 ms (agent "extractor" at ${ARN})`,
        retryable: true,
      },
      logs: null,
    });
    expect(performance.now() - began).toBeLessThan(30_000);
    await vi.waitUntil(() => closed, { timeout: 60_000 });
  });

  it('within the caller’s patience, which is less than the step’s time: given up', async () => {
    expect(await outcomeOf(() => {}, { timeoutMs: 60_000, patienceMs: 50 })).toEqual({ status: 'given_up' });
  });

  it('says why there was no more time', async () => {
    const timeoutMessage = 'The function that called it had no more time.';
    expect(await outcomeOf(() => {}, { timeoutMs: 50, timeoutMessage })).toMatchObject({
      error: { code: 'TIMEOUT', message: `${timeoutMessage} (agent "extractor" at ${ARN})` },
    });
  });

  it('that comes too late is thrown away', async () => {
    const outcome = outcomeOf((response) => setTimeout(() => payload(response, '"late"'), 150), {
      timeoutMs: 50,
    });
    await sleep(200);
    expect(await outcome).toMatchObject({ error: { code: 'TIMEOUT' } });
  });
});
