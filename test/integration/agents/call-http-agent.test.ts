import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { brotliCompressSync, deflateRawSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { Webhook } from 'standardwebhooks';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createAddressGuard } from '../../../shared/agents/address-guard.ts';
import type { Agent } from '../../../shared/agents/agent.ts';
import type { AgentCall, AgentCaller } from '../../../shared/agents/agent-call.ts';
import { createHttpAgentCaller } from '../../../shared/agents/call-http-agent.ts';
import { createGuardedConnector } from '../../../shared/agents/guarded-connector.ts';
import { generateSecret } from '../../../shared/agents/secrets.ts';
import { webhookIdOf } from '../../../shared/agents/sign-call.ts';
import { limits } from '../../../shared/config/limits.ts';

const PRIVATE_NAME = 'inside.test';
vi.mock('node:dns', async (importOriginal) => {
  const dns = await importOriginal<typeof import('node:dns')>();
  const lookup = (name: string, options: object, done: (error: null, found: unknown[]) => void) =>
    name === 'inside.test'
      ? done(null, [{ address: '127.0.0.1', family: 4 }])
      : dns.lookup(name, options, done as never);
  return { ...dns, lookup };
});

const callBody = {
  run_id: 'run-1',
  step_execution_id: 'step-1',
  step_id: 'extract',
  attempt: 1,
  input_data: { source: 'ümläut' },
  callback_url: 'http://127.0.0.1:8000/api/v1/callbacks/step-1/token',
};

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

async function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => sockets.add(socket.on('error', () => {})));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push({
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  });
  return (server.address() as AddressInfo).port;
}

const serve = async (listener: RequestListener) =>
  `http://127.0.0.1:${await listen(createServer(listener))}/agent`;
const serveSocket = async (onSocket: (socket: Socket) => void) =>
  `http://127.0.0.1:${await listen(createTcpServer(onSocket))}/agent`;

function caller(allowedCidrs = ['127.0.0.0/8'], clock: () => number = Date.now): AgentCaller {
  const guards = { everybodys: createAddressGuard(allowedCidrs), own: createAddressGuard([]) };
  const created = createHttpAgentCaller({ guards, clock });
  open.push(created);
  return created;
}

const callOf = (address: string, rest: Partial<AgentCall & Agent> = {}): AgentCall => ({
  agent: { name: 'extractor', address, owner: rest.owner ?? null, secrets: rest.secrets ?? [] },
  timeoutMs: 5_000,
  idempotencyKey: 'run-1:extract:1',
  body: callBody,
  ...rest,
});

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

const json = (
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
) => response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));

describe('a call', () => {
  it('is a signed POST of the task, and its JSON answer the output', async () => {
    const secret = generateSecret();
    const seen: { method?: string; url?: string; headers?: IncomingMessage['headers']; body?: string } = {};
    const url = await serve(async (request, response) => {
      Object.assign(seen, { method: request.method, url: request.url, headers: request.headers });
      seen.body = await textOf(request);
      json(response, 200, { rows: 3 });
    });
    const outcome = await caller().call(callOf(`${url}?a=b%20c`, { secrets: [secret] }));
    expect(outcome).toEqual({ status: 'completed', output: { rows: 3 }, logs: null });
    expect([seen.method, seen.url]).toEqual(['POST', '/agent?a=b%20c']);
    expect(JSON.parse(seen.body!)).toEqual(callBody);
    expect(seen.headers).toMatchObject({
      'content-type': 'application/json',
      'idempotency-key': 'run-1:extract:1',
      'webhook-id': webhookIdOf('run-1:extract:1'),
      'accept-encoding': 'gzip, deflate, br, zstd',
    });
    const headers = seen.headers as Record<string, string>;
    expect(new Webhook(secret).verify(seen.body!, headers)).toEqual(callBody);
  });

  it('without a secret is not signed', async () => {
    let signature: unknown = 'not called';
    const url = await serve((request, response) => {
      signature = request.headers['webhook-signature'];
      json(response, 200, null);
    });
    await caller().call(callOf(url));
    expect(signature).toBeUndefined();
  });

  it('carries ids that no header could in percent encoding', async () => {
    let headers: IncomingMessage['headers'] = {};
    const url = await serve((request, response) => {
      headers = request.headers;
      json(response, 200, null);
    });
    const outcome = await caller().call(callOf(url, { idempotencyKey: 'run-1:schritt für\r\nx:1' }));
    expect(outcome.status).toBe('completed');
    expect(headers['idempotency-key']).toBe('run-1%3Aschritt%20f%C3%BCr%0D%0Ax%3A1');
  });

  it.each([
    [200, '', { status: 'completed', output: null, logs: null }],
    [204, '', { status: 'completed', output: null, logs: null }],
    [201, '"made"', { status: 'completed', output: 'made', logs: null }],
    [202, '', { status: 'accepted' }],
    [202, 'whatever', { status: 'accepted' }],
    [200, 'not json', { status: 'failed', error: { code: 'AGENT_ANSWER_NOT_JSON', retryable: false } }],
    [
      404,
      '',
      {
        status: 'failed',
        error: {
          code: 'AGENT_ERROR',
          message: expect.stringMatching(
            /^The agent answered 404 Not Found \(agent "extractor" at http:\S+\/agent\)$/,
          ),
          retryable: false,
        },
      },
    ],
    [422, '{"code":"BAD"}', { status: 'failed', error: { code: 'BAD', retryable: false } }],
    [
      500,
      '{"error":{"code":"X","message":"y"}}',
      {
        status: 'failed',
        error: {
          code: 'X',
          message: expect.stringMatching(/^y \(agent "extractor" at http:\S+\/agent, HTTP 500\)$/),
          retryable: true,
        },
      },
    ],
  ])('answered %i %j', async (status, body, expected) => {
    const url = await serve((_, response) => {
      response.writeHead(status).end(body);
    });
    expect(await caller().call(callOf(url))).toMatchObject(expected);
  });

  it('reads Retry-After', async () => {
    const url = await serve((_, response) => json(response, 429, {}, { 'retry-after': '3' }));
    expect(await caller().call(callOf(url))).toMatchObject({
      error: { retryable: true, retry_after_ms: 3_000 },
    });
  });

  it.each<[string, string]>([
    ['100 that nobody asked for', 'HTTP/1.1 100 Continue\r\n\r\n'],
    [
      'several, with headers',
      'HTTP/1.1 100 Continue\r\nX: y\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n',
    ],
  ])('reads past informational answers: %s, and keeps the connection', async (_, before) => {
    let connections = 0;
    const url = await serveSocket((socket) => {
      connections++;
      socket.on('data', () => socket.write(`${before}HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n7`));
    });
    const { call } = caller();
    for (let i = 0; i < 3; i++) {
      expect(await call(callOf(url))).toMatchObject({ output: 7 });
      // An answer is handed on before its connection is free again.
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(connections).toBe(1);
  });

  it('waits for the answer after 100, however it comes', async () => {
    const url = await serveSocket((socket) =>
      socket.once('data', async () => {
        for (const byte of 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 1\r\n\r\n7') {
          socket.write(byte);
          await new Promise((resolve) => setImmediate(resolve));
        }
      }),
    );
    expect(await caller().call(callOf(url))).toMatchObject({ output: 7 });
  });

  it('takes its time from the call where nothing follows 100', async () => {
    const url = await serveSocket((socket) =>
      socket.once('data', () => socket.write('HTTP/1.1 100 Continue\r\n\r\n')),
    );
    expect(await caller().call(callOf(url, { timeoutMs: 150 }))).toMatchObject({
      error: { code: 'TIMEOUT' },
    });
  });

  it('reads header lines that go on in the next one', async () => {
    const url = await serveSocket((socket) =>
      socket.once('data', () =>
        socket.end('HTTP/1.1 429 Slow\r\nRetry-After:\r\n\t3\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\n{}'),
      ),
    );
    expect(await caller().call(callOf(url))).toMatchObject({ error: { retry_after_ms: 3_000 } });
  });

  it.each<[string, (body: string) => Buffer]>([
    ['gzip', gzipSync],
    ['deflate', deflateRawSync],
    ['br', brotliCompressSync],
    ['zstd', zstdCompressSync],
  ])('reads answers and errors that are compressed by %s', async (coding, encode) => {
    const answers = [
      [200, { rows: 3 }],
      [422, { code: 'QUOTA', message: 'no more' }],
    ] as const;
    let asked = 0;
    const url = await serve((_, response) => {
      const [status, body] = answers[asked++]!;
      response.writeHead(status, { 'content-encoding': coding }).end(encode(JSON.stringify(body)));
    });
    const { call } = caller();
    expect(await call(callOf(url))).toMatchObject({ output: { rows: 3 } });
    expect(await call(callOf(url))).toMatchObject({ error: { code: 'QUOTA' } });
  });

  it('waits for the answer after informational ones', async () => {
    const url = await serve((_, response) => {
      response.writeProcessing();
      response.writeEarlyHints({ link: '</x>; rel=preload' });
      json(response, 200, 'final');
    });
    expect(await caller().call(callOf(url))).toMatchObject({ output: 'final' });
  });

  it('does not follow a redirect', async () => {
    let followed = false;
    const target = await serve((_, response) => {
      followed = true;
      json(response, 200, null);
    });
    const url = await serve((_, response) => {
      response.writeHead(307, { location: target }).end();
    });
    const outcome = await caller().call(callOf(url));
    expect(outcome).toMatchObject({ error: { code: 'AGENT_REDIRECTED', retryable: false } });
    expect(followed).toBe(false);
  });

  it('is made on connections that are kept, and on a new one after a freeze', async () => {
    const ports = new Set<number | undefined>();
    const url = await serve((request, response) => {
      ports.add(request.socket.remotePort);
      json(response, 200, null);
    });
    let now = 0;
    const { call } = caller(undefined, () => now);
    for (let i = 0; i < 20; i++) await call(callOf(url));
    const kept = ports.size;
    // An answer is handed on before its connection is free again, so that a call right behind it may take a second one.
    expect(kept).toBeLessThanOrEqual(2);
    now += 600_000;
    await call(callOf(url));
    expect(ports.size).toBe(kept + 1);
  });
});

describe('an answer without end', () => {
  it.each([
    [200, 'DATA_LIMIT', false],
    [500, 'AGENT_ERROR', true],
  ])('with status %i is read to the limit and cut off', async (status, code, retryable) => {
    let sent = 0;
    const closed = Promise.withResolvers<void>();
    const url = await serve((_, response) => {
      response.writeHead(status).on('close', closed.resolve);
      const chunk = Buffer.alloc(64 * 1024, 'x');
      const pump = () => {
        while (!response.destroyed && response.write(chunk)) sent += chunk.length;
      };
      response.on('drain', pump);
      pump();
    });
    expect(await caller().call(callOf(url))).toMatchObject({ error: { code, retryable } });
    await closed.promise;
    expect(sent).toBeLessThan(64 * 1024 * 1024);
  });

  it('of exactly the limit is taken', async () => {
    const body = `"${'x'.repeat(limits.maxPayloadBytes - 2)}"`;
    const url = await serve((_, response) => {
      response.end(body);
    });
    expect((await caller().call(callOf(url))).status).toBe('completed');
  });

  it('after 202 is accepted at once, and cut off when the time is over', async () => {
    const closed = Promise.withResolvers<void>();
    const url = await serve((_, response) => {
      response.writeHead(202).on('close', closed.resolve);
      response.write('a little');
    });
    const startedAt = performance.now();
    expect(await caller().call(callOf(url, { timeoutMs: 2_000 }))).toEqual({ status: 'accepted' });
    expect(performance.now() - startedAt).toBeLessThan(1_500);
    await closed.promise;
  });
});

describe('the time of a call', () => {
  const never = () => {};
  it.each<[string, () => Promise<string>]>([
    ['says nothing', () => serve(never)],
    ['is silent on the socket', () => serveSocket(never)],
    ['stops after the headers', () => serve((_, response) => response.writeHead(200).flushHeaders())],
    [
      'drips',
      () =>
        serve((_, response) => {
          const timer = setInterval(() => response.write(' '), 20);
          response.on('close', () => clearInterval(timer));
        }),
    ],
  ])('is bounded when the agent %s', async (_, start) => {
    const url = await start();
    const startedAt = performance.now();
    const outcome = await caller().call(callOf(url, { timeoutMs: 150 }));
    expect(outcome).toEqual({
      status: 'failed',
      error: {
        code: 'TIMEOUT',
        message: expect.stringMatching(
          /^The agent did not answer within 150 ms \(agent "extractor" at http:\S+\/agent(, HTTP 200)?\)$/,
        ),
        retryable: true,
      },
      logs: null,
    });
    expect(performance.now() - startedAt).toBeGreaterThan(140);
    expect(performance.now() - startedAt).toBeLessThan(30_000);
  });

  it('ends with the caller’s patience where that is less: given up, and the connection closed', async () => {
    const closed = Promise.withResolvers<void>();
    const url = await serve((request) => {
      request.socket.on('close', closed.resolve);
    });
    const { call } = caller();
    expect(await call(callOf(url, { timeoutMs: 60_000, patienceMs: 100 }))).toEqual({ status: 'given_up' });
    await closed.promise;
    expect(await call(callOf(url, { timeoutMs: 100, patienceMs: 60_000 }))).toMatchObject({
      error: { code: 'TIMEOUT' },
    });
  });

  it('ends with the status where that has come, and is final where the status is', async () => {
    const url = await serve((_, response) => {
      response.writeHead(400).write('{"code":');
    });
    expect(await caller().call(callOf(url, { timeoutMs: 150 }))).toMatchObject({
      error: { code: 'AGENT_ERROR', retryable: false },
    });
  });

  it('closes the connection, so that the agent can notice', async () => {
    const closed = Promise.withResolvers<void>();
    const url = await serve((request) => {
      request.socket.on('close', closed.resolve);
    });
    await caller().call(callOf(url, { timeoutMs: 50 }));
    await closed.promise;
  });

  it('longer than a timer can be does not fire at once', async () => {
    const url = await serve((_, response) => {
      setTimeout(() => json(response, 200, 'late'), 50);
    });
    expect(await caller().call(callOf(url, { timeoutMs: 2 ** 31 * 1000 }))).toMatchObject({ output: 'late' });
  });
});

describe('a broken connection', () => {
  it.each<[string, (socket: Socket) => void]>([
    ['closed without an answer', (socket) => socket.once('data', () => socket.end())],
    ['reset without an answer', (socket) => socket.once('data', () => socket.resetAndDestroy())],
    [
      'reset in the headers',
      (socket) =>
        socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nconte', () => socket.resetAndDestroy())),
    ],
    [
      'closed in the body',
      (socket) =>
        socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"a":1')),
    ],
    [
      'closed in a chunk',
      (socket) =>
        socket.once('data', () =>
          socket.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{"a"'),
        ),
    ],
    ['no HTTP at all', (socket) => socket.once('data', () => socket.end('hello\r\n\r\n'))],
    [
      'two lengths',
      (socket) =>
        socket.once('data', () =>
          socket.end('HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n12'),
        ),
    ],
    [
      'an upgrade',
      (socket) =>
        socket.once('data', () =>
          socket.end('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'),
        ),
    ],
    [
      'endless headers',
      (socket) =>
        socket.once('data', () =>
          socket.write(`HTTP/1.1 200 OK\r\n${`a: ${'b'.repeat(1000)}\r\n`.repeat(1000)}`),
        ),
    ],
  ])('(%s) can be tried again', async (_, onSocket) => {
    const url = await serveSocket(onSocket);
    expect(await caller().call(callOf(url))).toMatchObject({
      status: 'failed',
      error: {
        code: 'AGENT_UNREACHABLE',
        retryable: true,
        message: expect.stringMatching(
          /^The agent gave no complete answer: \w+ \(agent "extractor" at http:\S+\/agent(, HTTP 200)?\)$/,
        ),
      },
    });
  });

  it('(refused) can be tried again, and tells where', async () => {
    const url = await serve(() => {});
    await open.pop()!.close();
    const { host } = new URL(url);
    expect(await caller().call(callOf(`${url}?key=secret#part`))).toMatchObject({
      error: {
        code: 'AGENT_UNREACHABLE',
        message: `The agent gave no complete answer: ECONNREFUSED ${host} (agent "extractor" at http://${host}/agent)`,
        retryable: true,
      },
    });
  });

  it('(no such name) can be tried again', async () => {
    const outcome = await caller().call(callOf('http://no-such-host.invalid/'));
    // A resolver that cannot be reached itself may take longer than the call's time.
    const code = expect.stringMatching(/^(AGENT_UNREACHABLE|TIMEOUT)$/);
    expect(outcome).toMatchObject({ status: 'failed', error: { code, retryable: true } });
  });

  it('leaves the next call its own', async () => {
    let requests = 0;
    const url = await serve((request, response) => {
      if (++requests === 1) request.socket.destroy();
      else json(response, 200, requests);
    });
    const { call } = caller();
    expect((await call(callOf(url))).status).toBe('failed');
    expect(await call(callOf(url))).toMatchObject({ output: 2 });
  });
});

describe('the address guard', () => {
  const refused = { status: 'failed', error: { code: 'AGENT_ADDRESS_REFUSED', retryable: false } };

  const connectTo = (target: { hostname: string; protocol: string; port: string }, allowed: string[]) =>
    new Promise<string>((resolve) => {
      createGuardedConnector(createAddressGuard(allowed))(target, (error, socket) => {
        socket?.destroy();
        resolve(error ? (error as Error & { code: string }).code : 'connected');
      });
    });

  it.each(['127.0.0.1', 'localhost', '0x7f.1', '2130706433', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]'])(
    'keeps a call to %s from the socket',
    async (host) => {
      const connected = vi.fn();
      const url = new URL(await serve(connected));
      const outcome = await caller([]).call(callOf(`http://${host}:${url.port}/agent`));
      expect(outcome).toMatchObject(refused);
      expect(connected).not.toHaveBeenCalled();
    },
  );

  it('keeps a user’s own agent from connections that everybody’s has opened', async () => {
    let calls = 0;
    const { port } = new URL(await serve((_, response) => json(response, 200, ++calls)));
    // Of a name nothing is known until it is connected to, and a kept connection is not opened again.
    const url = `http://${PRIVATE_NAME}:${port}/agent`;
    const { call } = caller();
    expect(await call(callOf(url))).toMatchObject({ output: 1 });
    expect(await call(callOf(url, { owner: 'ann' }))).toMatchObject({
      error: {
        ...refused.error,
        message: `The agent cannot be called where it is registered: ${PRIVATE_NAME} is, or resolves to, an address that is not public (AGENT_ALLOWED_CIDRS allows others) (agent "extractor" at ${url})`,
      },
    });
    expect(await call(callOf(url))).toMatchObject({ output: 2 });
  });

  it.each(['ftp://example.com/', 'http://user:pass@example.com/', 'nonsense'])('refuses %s', async (url) => {
    expect(await caller().call(callOf(url))).toMatchObject(refused);
  });

  it('checks what a name resolves to, in the lookup of the socket that is used', async () => {
    const connected = vi.fn();
    const { port } = new URL(await serve(connected));
    const target = { hostname: 'localhost', protocol: 'http:', port };
    expect(await connectTo(target, [])).toBe('AGENT_ADDRESS_REFUSED');
    expect(await connectTo(target, ['127.0.0.0/8'])).toBe('connected');
  });

  it('checks address literals, which are never looked up', async () => {
    const target = { hostname: '[::ffff:127.0.0.1]', protocol: 'http:', port: '1' };
    expect(await connectTo(target, [])).toBe('AGENT_ADDRESS_REFUSED');
  });

  it('does not call with a secret that cannot sign', async () => {
    const connected = vi.fn();
    const outcome = await caller().call(callOf(await serve(connected), { secrets: ['whsec_?'] }));
    expect(outcome).toMatchObject({ error: { code: 'AGENT_SECRET_UNUSABLE', retryable: false } });
    expect(connected).not.toHaveBeenCalled();
  });
});
