import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { createAgentRegistry } from '../../../shared/agents/registry.ts';
import { generateSecret } from '../../../shared/agents/secrets.ts';

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

async function serve(listener: RequestListener): Promise<string> {
  server = createServer(listener);
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/registry/`;
}

const answer = (body: unknown, status = 200): RequestListener => {
  return (_, response) => {
    response.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body));
  };
};

const secret = generateSecret();
const previous = generateSecret();

const coded = (coding: string, body: Buffer): RequestListener => {
  return (_, response) => {
    response.writeHead(200, { 'content-encoding': coding }).end(body);
  };
};

describe('the agent registry', () => {
  it.each([
    [
      { name: 'a b/c', kind: 'http', url: 'https://a.test/', timeout: 5, secret },
      { kind: 'http', address: 'https://a.test/', timeoutSeconds: 5, secrets: [secret] },
    ],
    [
      { name: 'a b/c', kind: 'lambda', function_arn: 'arn:aws:lambda:x', more: 1 },
      { kind: 'lambda', address: 'arn:aws:lambda:x', timeoutSeconds: null, secrets: [] },
    ],
    [
      { name: 'a b/c', kind: 'kafka', topic: 'agent.a', timeout: null, secret: null },
      { kind: 'kafka', address: 'agent.a', timeoutSeconds: null, secrets: [] },
    ],
    [
      { name: 'a b/c', kind: 'http', url: 'u', secret, previous_secret: previous },
      { kind: 'http', address: 'u', timeoutSeconds: null, secrets: [secret, previous] },
    ],
  ])('answers %j', async (body, agent) => {
    const paths: unknown[] = [];
    const url = await serve((request, response) => {
      paths.push(request.url);
      answer(body)(request, response);
    });
    const { lookup } = createAgentRegistry({ url, clock: Date.now });
    expect(await lookup('a b/c')).toEqual({
      status: 'found',
      agent: { name: 'a b/c', owner: null, ...agent },
    });
    expect(paths).toEqual(['/registry/agents/a%20b%2Fc']);
  });

  it('may compress its answer', async () => {
    const body = gzipSync(JSON.stringify({ name: 'x', kind: 'http', url: 'https://a.test/' }));
    const { lookup } = createAgentRegistry({ url: await serve(coded('gzip', body)), clock: Date.now });
    expect(await lookup('x')).toMatchObject({ status: 'found', agent: { address: 'https://a.test/' } });
  });

  it('knows no agent where it answers 404', async () => {
    const url = await serve(answer({}, 404));
    expect(await createAgentRegistry({ url, clock: Date.now }).lookup('x')).toEqual({ status: 'unknown' });
  });

  it.each<[string, RequestListener, string]>([
    ['fails', answer('', 500), 'it answered 500'],
    ['redirects', answer('', 302), 'it answered 302'],
    ['answers no JSON', answer('<html>'), 'it answered something that is not JSON'],
    ['answers another form', answer({ name: 'x', kind: 'http' }), 'url: Invalid input'],
    ['answers another kind', answer({ name: 'x', kind: 'smtp' }), 'kind: '],
    ['answers a timeout of zero', answer({ name: 'x', kind: 'http', url: 'u', timeout: 0 }), 'timeout: '],
    [
      'answers a timeout without end',
      answer({ name: 'x', kind: 'http', url: 'u', timeout: 1e9 }),
      'timeout: ',
    ],
    [
      'answers a secret that no library reads alike',
      answer({ name: 'x', kind: 'http', url: 'u', secret: 'plain text' }),
      'secret: expected whsec_ and 24 to 64 bytes in base64',
    ],
    [
      'answers in a coding that nobody reads',
      coded('compress', Buffer.from('{}')),
      'it answered in compress',
    ],
    ['answers for another agent', answer({ name: 'y', kind: 'http', url: 'u' }), 'another agent'],
    ['answers too much', answer(`"${'x'.repeat(70_000)}"`), 'more than 65536 bytes'],
    ['hangs', () => {}, 'TimeoutError'],
    ['hangs in the body', (_, response) => void response.writeHead(200).write('{'), 'TimeoutError'],
    ['breaks off', (request) => void request.socket.destroy(), 'UND_ERR_SOCKET'],
  ])('that %s is unavailable, and is asked again after a while', async (_, listener, reason) => {
    let asked = 0;
    const url = await serve((request, response) => {
      asked++;
      listener(request, response);
    });
    // Only those that never answer are to come to it.
    const timeoutMs = reason === 'TimeoutError' ? 1_000 : 30_000;
    let now = 0;
    const { lookup, known } = createAgentRegistry({ url, clock: () => now, timeoutMs });
    const unavailable = {
      status: 'unavailable',
      message: expect.stringContaining(reason),
      retryAfterMs: 500,
    };
    expect(await lookup('x')).toEqual(unavailable);
    expect(known('x')).toBeUndefined();
    expect(await lookup('x')).toEqual(unavailable);
    expect(asked).toBe(1);
    now += 500;
    await lookup('x');
    expect(asked).toBe(2);
  });

  it('is asked once for all who wait, and again when its answer is old', async () => {
    let asked = 0;
    const url = await serve((request, response) => {
      asked++;
      const name = request.url!.split('/').at(-1);
      answer(
        name === 'here' ? { name, kind: 'http', url: 'https://a.test/' } : {},
        name === 'here' ? 200 : 404,
      )(request, response);
    });
    let now = 0;
    const { lookup, lookUp, known } = createAgentRegistry({ url, clock: () => now });
    const names = ['here', 'gone'];
    expect(known('here')).toBeUndefined();
    await Promise.all([lookUp(names, 30_000), lookUp(names, 30_000), lookup('here')]);
    expect(asked).toBe(2);
    expect(known('here')).toMatchObject({ kind: 'http', address: 'https://a.test/' });
    expect(known('gone')).toBeNull();
    now = 10_000;
    expect(known('gone')).toBeUndefined();
    await lookUp(names, 30_000);
    expect(asked).toBe(3);
    now = 60_000;
    expect(known('here')).toBeUndefined();
    await lookUp(names, 30_000);
    expect(asked).toBe(5);
  });
});
