import { request as httpRequest } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startApiGateway } from '../../../localstack/api-gateway/api-gateway.ts';
import type { ProxyEvent } from '../../../localstack/api-gateway/proxy-event.ts';
import type { RunningServer } from '../../../localstack/http-server.ts';
import { inProcessFunction } from '../../../localstack/in-process-function.ts';
import { failed } from '../../../localstack/invocation.ts';
import { handler } from './fixtures/http-echo.ts';

let gateway: RunningServer;

beforeAll(async () => {
  gateway = await startApiGateway({
    invoker: inProcessFunction({ functionName: 'api', createHandler: () => handler }),
  });
});

afterAll(() => gateway.stop());

/** By node's own client: `fetch` would tidy up paths and headers. */
function send(
  path: string,
  options: {
    method?: string;
    headers?: Record<string, string | string[]>;
    body?: Buffer | string;
    to?: RunningServer;
  } = {},
): Promise<{ status: number; headers: Record<string, unknown>; body: Buffer }> {
  const { method = 'GET', headers = {}, body, to = gateway } = options;
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port: to.port, method, path, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
      );
    });
    request.on('error', reject);
    request.end(body);
  });
}

async function eventOf(path: string, options: Parameters<typeof send>[1] = {}): Promise<ProxyEvent> {
  return JSON.parse((await send(path, options)).body.toString('utf8')) as ProxyEvent;
}

const answering = (answer: unknown) => send('/answer', { headers: { 'x-answer': JSON.stringify(answer) } });

/** Tells no more than that, and where to look. */
const internalError = ({ headers }: { headers: Record<string, unknown> }) => ({
  success: false,
  message: 'Something went wrong here; the request id finds it in the log',
  error_code: 'INTERNAL_ERROR',
  details: { request_id: headers['x-request-id'] ?? 'none' },
});

describe('the event', () => {
  test('is a REST API proxy event', async () => {
    const event = await eventOf('/api/v1/workflows?limit=5', {
      method: 'POST',
      headers: { 'User-Agent': 'a-test', 'Content-Type': 'application/json', 'X-API-Key': 'k' },
      body: '{"name":"ä"}',
    });
    expect(event).toEqual({
      resource: '/{proxy+}',
      path: '/api/v1/workflows',
      httpMethod: 'POST',
      headers: {
        'User-Agent': 'a-test',
        'Content-Type': 'application/json',
        'X-API-Key': 'k',
        Host: `127.0.0.1:${gateway.port}`,
        'X-Forwarded-For': '127.0.0.1',
        'X-Forwarded-Port': String(gateway.port),
        'X-Forwarded-Proto': 'http',
      },
      multiValueHeaders: expect.objectContaining({ 'X-API-Key': ['k'] }),
      queryStringParameters: { limit: '5' },
      multiValueQueryStringParameters: { limit: ['5'] },
      pathParameters: { proxy: 'api/v1/workflows' },
      stageVariables: null,
      requestContext: expect.objectContaining({
        accountId: '000000000000',
        stage: 'local',
        requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
        identity: { sourceIp: '127.0.0.1', userAgent: 'a-test' },
        httpMethod: 'POST',
        path: '/local/api/v1/workflows',
        protocol: 'HTTP/1.1',
        resourcePath: '/{proxy+}',
        requestTime: expect.stringMatching(/^\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d \+0000$/),
        requestTimeEpoch: expect.any(Number),
      }),
      body: 'eyJuYW1lIjoiw6QifQ==',
      isBase64Encoded: true,
    });
  });

  test('keeps the path as it was encoded, and decodes the query', async () => {
    const event = await eventOf('/runs/a%2Fb%20c/%E2%82%AC?q=a%20b+c%26d&empty');
    expect(event.path).toBe('/runs/a%2Fb%20c/%E2%82%AC');
    expect(event.pathParameters).toEqual({ proxy: 'runs/a%2Fb%20c/%E2%82%AC' });
    expect(event.queryStringParameters).toEqual({ q: 'a b c&d', empty: '' });
  });

  test('has all values of a repeated name, and the last one as the single value', async () => {
    const event = await eventOf('/x?status=A&status=B', { headers: { 'X-Tag': ['one', 'two'] } });
    expect(event.multiValueQueryStringParameters).toEqual({ status: ['A', 'B'] });
    expect(event.queryStringParameters).toEqual({ status: 'B' });
    expect(event.multiValueHeaders['X-Tag']).toEqual(['one', 'two']);
    expect(event.headers['X-Tag']).toBe('two');
  });

  test('keeps the slash at the end of the path, and not of its parameter', async () => {
    const event = await eventOf('/api/v1/workflows/?limit=1');
    expect([event.path, event.pathParameters, event.requestContext.path]).toEqual([
      '/api/v1/workflows/',
      { proxy: 'api/v1/workflows' },
      '/local/api/v1/workflows/',
    ]);
  });

  test('lacks the headers that API Gateway takes out, and has the others', async () => {
    const takenOut = {
      'Content-MD5': 'x',
      'Max-Forwards': '9',
      Server: 'x',
      TE: 'trailers',
      'WWW-Authenticate': 'x',
    };
    const kept = { 'Keep-Alive': 'timeout=9', 'Proxy-Authorization': 'x', Via: '1.1 x', Warning: 'x' };
    const { headers } = await eventOf('/', { headers: { ...takenOut, ...kept } });
    expect(headers).toMatchObject(kept);
    for (const name of [...Object.keys(takenOut), 'Connection']) expect(headers).not.toHaveProperty(name);
  });

  test('has nulls where there is nothing', async () => {
    const event = await eventOf('/');
    expect(event).toMatchObject({
      resource: '/',
      path: '/',
      pathParameters: null,
      queryStringParameters: null,
      multiValueQueryStringParameters: null,
      body: null,
      isBase64Encoded: false,
    });
  });

  test('carries bytes that are not text unharmed', async () => {
    const event = await eventOf('/upload', { method: 'POST', body: Buffer.from([0xff, 0x00, 0xc3]) });
    expect(Buffer.from(event.body ?? '', 'base64')).toEqual(Buffer.from([0xff, 0x00, 0xc3]));
  });

  test('has text bodies where the API is not set to take a media type as binary', async () => {
    const invoker = inProcessFunction({ functionName: 'api', createHandler: () => handler });
    const narrow = await startApiGateway({ invoker, binaryMediaTypes: ['image/*'] });
    const text = await eventOf('/', { method: 'POST', body: '{"a":1}', to: narrow });
    const image = { method: 'POST', headers: { 'content-type': 'image/png' }, body: 'x', to: narrow };
    expect(text).toMatchObject({ body: '{"a":1}', isBase64Encoded: false });
    expect(await eventOf('/', image)).toMatchObject({ body: 'eA==', isBase64Encoded: true });
    await narrow.stop();
  });
});

describe('the answer', () => {
  test('has the function’s status, headers and body, and JSON as the default type', async () => {
    const answer = await answering({
      statusCode: 418,
      headers: { 'X-One': 'a', 'X-Number': 7 },
      multiValueHeaders: { 'Set-Cookie': ['a=1', 'b=2'], 'x-one': ['a'] },
      body: 'ä',
    });
    expect(answer.status).toBe(418);
    expect(answer.headers).toMatchObject({
      'x-one': 'a',
      'x-number': '7',
      'set-cookie': ['a=1', 'b=2'],
      'content-type': 'application/json',
    });
    expect(answer.body.toString('utf8')).toBe('ä');
  });

  test('has what API Gateway sets itself under another name', async () => {
    const { headers } = await answering({
      statusCode: 401,
      headers: { 'WWW-Authenticate': 'Bearer', Server: 'ours', Date: 'then', 'Transfer-Encoding': 'x' },
    });
    expect(headers).toMatchObject({
      'x-amzn-remapped-www-authenticate': 'Bearer',
      'x-amzn-remapped-server': 'ours',
      'x-amzn-remapped-date': 'then',
    });
    expect(headers).not.toHaveProperty('www-authenticate');
    expect(headers).not.toHaveProperty('server');
    expect(headers.date).not.toBe('then');
  });

  test('decodes base64 bodies', async () => {
    const answer = await answering({ statusCode: 200, body: '/wDD', isBase64Encoded: true });
    expect(answer.body).toEqual(Buffer.from([0xff, 0x00, 0xc3]));
  });

  test.each([
    ['an object as the body', { statusCode: 200, body: { a: 1 } }],
    ['no object at all', 'hello'],
    ['null', null],
    ['a status that is none', { statusCode: 'fine' }],
    ['a field that API Gateway does not know', { statusCode: 200, cookies: [] }],
    ['headers that are not text', { statusCode: 200, headers: { a: { b: 1 } } }],
  ])('%s is malformed: 502', async (_, malformed) => {
    const answer = await answering(malformed);
    expect(answer.status).toBe(502);
    expect(JSON.parse(answer.body.toString('utf8'))).toEqual(internalError(answer));
  });

  test('a function error is a 502 that tells nothing', async () => {
    const log: string[] = [];
    const invoker = { functionName: 'api', invoke: async () => failed('TypeError', 'secret detail') };
    const failing = await startApiGateway({ invoker, log: (line) => log.push(line) });
    const answer = await send('/x', { to: failing });
    expect(answer.status).toBe(502);
    expect(JSON.parse(answer.body.toString('utf8'))).toEqual(internalError(answer));
    expect(log).toEqual([`GET /x (${answer.headers['x-request-id']}): TypeError: secret detail`]);
    await failing.stop();
  });

  test('a function that takes longer than the integration may is a 504', async () => {
    const createHandler = () => () => sleep(10_000, null, { ref: false });
    const invoker = inProcessFunction({ functionName: 'api', createHandler });
    const slow = await startApiGateway({ invoker, integrationTimeoutMs: 50 });
    const answer = await send('/', { to: slow });
    expect(answer.status).toBe(504);
    expect(answer.headers).toMatchObject({ 'retry-after': '2', 'cache-control': 'no-store' });
    expect(JSON.parse(answer.body.toString('utf8'))).toEqual({
      success: false,
      message: 'This took too long; try again',
      error_code: 'SERVICE_UNAVAILABLE',
      details: { request_id: answer.headers['x-request-id'] },
    });
    await slow.stop();
  });
});

describe('sizes', () => {
  test('a request above 10 MB is a 413', async () => {
    const answer = await send('/', { method: 'POST', body: Buffer.alloc(10 * 1024 * 1024 + 1, 'x') });
    expect(answer.status).toBe(413);
    expect(JSON.parse(answer.body.toString('utf8'))).toMatchObject({
      success: false,
      error_code: 'PAYLOAD_TOO_LARGE',
    });
  });

  test('headers of more than 10,240 bytes in all are a 431', async () => {
    const own = Buffer.byteLength(`Host127.0.0.1:${gateway.port}Connectionkeep-aliveX-Long`);
    const longest = 'x'.repeat(10_240 - own);
    expect((await send('/', { headers: { Connection: 'keep-alive', 'X-Long': longest } })).status).toBe(200);
    const headers = { Connection: 'keep-alive', 'X-Long': `${longest}x` };
    const answer = await send('/', { headers });
    expect(answer.status).toBe(431);
    expect(JSON.parse(answer.body.toString('utf8'))).toMatchObject({
      success: false,
      error_code: 'BAD_REQUEST',
    });
  });

  test('pages that may call may read it', async () => {
    const invoker = { functionName: 'api', invoke: async () => failed('TypeError', 'no matter') };
    const open = await startApiGateway({ invoker, corsAllowedOrigins: 'https://app.example.com' });
    const { headers } = await send('/', { to: open });
    expect(headers['access-control-allow-origin']).toBe('https://app.example.com');
    await open.stop();
    expect((await answering(null)).headers).not.toHaveProperty('access-control-allow-origin');
  });

  test('an event above Lambda’s 6 MB is a 413', async () => {
    const invoker = {
      functionName: 'api',
      invoke: async () => failed('RequestTooLargeException', 'too large'),
    };
    const limited = await startApiGateway({ invoker });
    expect((await send('/', { to: limited })).status).toBe(413);
    await limited.stop();
  });
});

test('a port in use is an error that says what to do', async () => {
  const invoker = inProcessFunction({ functionName: 'api', createHandler: () => handler });
  await expect(startApiGateway({ invoker, port: gateway.port })).rejects.toMatchObject({
    code: 'PORT_IN_USE',
    message: `Port ${gateway.port}, wanted by the API, is in use.\n  - stop what listens there, or set PORT to another one`,
  });
});
