import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { createApi } from '../../../functions/api/create-api.ts';
import type { Answer } from '../../../functions/api/http/answer.ts';
import { ApiError } from '../../../functions/api/http/api-error.ts';
import { refusalError } from '../../../functions/api/http/refusal-error.ts';
import { defineRoute } from '../../../functions/api/http/route.ts';
import type { ApiServices } from '../../../functions/api/services.ts';
import type { AuthenticationResult } from '../../../shared/auth/authenticate.ts';
import { anonymousCaller } from '../../../shared/auth/caller.ts';
import type { AaaEvent } from '../../../shared/telemetry/aaa-log.ts';
import { type ApiRequest, apiContext, apiEvent, responseOf } from '../../support/api-event.ts';
import { fullBuckets } from '../../support/full-buckets.ts';

const fine: Answer = { status: 200, message: 'Fine', data: { a: 1 } };

/** An API of one route, which does `handle`. */
function apiDoing(
  handle: () => Promise<Answer>,
  authentication: AuthenticationResult = {
    ok: true,
    caller: anonymousCaller,
    afterwards: null,
    remembered: null,
  },
  origins: readonly string[] = [],
) {
  const logged: { message: string; fields: Readonly<Record<string, unknown>> }[] = [];
  const events: AaaEvent[] = [];
  const services = {
    authenticate: async () => authentication,
    rateLimiter: fullBuckets,
    corsAllowedOrigins: origins,
    aaa: { write: (event: AaaEvent) => void events.push(event) },
    log: {
      error: (message: string, fields: Record<string, unknown>) => void logged.push({ message, fields }),
    },
  } as unknown as ApiServices;
  const route = defineRoute({
    method: 'POST',
    path: '/things/{id}',
    takesIdempotencyKey: true,
    operationId: 'doThing',
    summary: '',
    operation: { tags: ['service'], answers: {} },
    authentication: 'caller',
    query: z.strictObject({ limit: z.string().optional() }),
    body: { schema: z.strictObject({ a: z.number().optional() }), maxBytes: 100, isOptional: true },
    handle,
  });
  const reading = defineRoute({
    method: 'GET',
    path: '/things',
    operationId: 'getThings',
    summary: '',
    operation: { tags: ['service'], answers: {} },
    authentication: 'none',
    handle,
  });
  const plain = defineRoute({
    method: 'POST',
    path: '/api/workflows/{id}',
    operationId: 'doPlainThing',
    summary: '',
    operation: { tags: ['plain'], answers: {} },
    authentication: 'caller',
    params: z.strictObject({ id: z.guid('expected a UUID') }),
    body: { schema: z.strictObject({ a: z.number() }), maxBytes: 100 },
    handle,
  });
  const api = createApi(services, [route, reading, plain]);
  const send = async (request: Partial<ApiRequest> = {}, context = apiContext) =>
    responseOf(await api(apiEvent({ method: 'POST', path: '/things/7', ...request }), context));
  return { send, logged, events, api };
}

const withCode = (code: string) => Object.assign(new Error('the secret inside'), { code });

describe('an answer', () => {
  it('is in the envelope, with a request id and security headers', async () => {
    const { status, body, headers } = await apiDoing(async () => fine).send();
    expect(status).toBe(200);
    expect(body).toEqual({ success: true, message: 'Fine', data: { a: 1 }, meta: {} });
    expect(headers).toEqual({
      'Content-Type': 'application/json; charset=utf-8',
      'Cache-Control': 'no-store',
      'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
      'Referrer-Policy': 'no-referrer',
      'Strict-Transport-Security': 'max-age=31536000; includeSubDomains',
      'X-Content-Type-Options': 'nosniff',
      'X-Frame-Options': 'DENY',
      'X-Request-Id': 'request-1',
      'RateLimit-Policy': '"unlimited";q=999999999999999;w=60',
      RateLimit: '"unlimited";r=999999999999999;t=0',
    });
  });

  it.each(['a', 'sess_1.2:3-4', 'x'.repeat(128)])('has the id that the request came with: %s', async (id) => {
    const { headers } = await apiDoing(async () => fine).send({ headers: { 'x-request-id': id } });
    expect(headers['X-Request-Id']).toBe(id);
  });

  it.each(['', 'x'.repeat(129), 'a b', 'a\nb', 'ä', '<a>'])('has another id than %j', async (id) => {
    const { headers } = await apiDoing(async () => fine).send({ headers: { 'X-Request-Id': id } });
    expect(headers['X-Request-Id']).toBe('request-1');
  });

  it('tells what rate holds, whatever it is', async () => {
    const nobody = { ok: false, message: 'Who are you?' } as const;
    const asked: [string, Partial<ApiRequest>, AuthenticationResult?][] = [
      ['unlimited', {}],
      ['unlimited', { body: '{' }],
      ['failed-authentications', {}, nobody],
      ['failed-authentications', { path: '/nothing' }],
      ['failed-authentications', { method: 'DELETE' }],
      ['failed-authentications', { method: 'OPTIONS' }],
      ['failed-authentications', { method: 'HEAD', path: '/things' }],
    ];
    for (const [policy, request, authentication] of asked) {
      const { headers } = await apiDoing(async () => fine, authentication).send(request);
      expect(headers['RateLimit-Policy']).toMatch(new RegExp(`^"${policy}";q=\\d+;w=60$`));
      expect(headers.RateLimit).toMatch(new RegExp(`^"${policy}";r=\\d+;t=\\d+$`));
    }
  });

  it('to HEAD has no body', async () => {
    const { status, body } = await apiDoing(async () => fine).send({ method: 'HEAD', path: '/things' });
    expect([status, body]).toEqual([200, null]);
  });
});

describe('an error', () => {
  it.each([
    ['DATABASE_UNAVAILABLE', 503, 'SERVICE_UNAVAILABLE', '2'],
    ['TRANSACTION_CONFLICT', 503, 'SERVICE_UNAVAILABLE', '2'],
    ['VALUE_REFUSED', 400, 'BAD_REQUEST', undefined],
    ['42P01', 500, 'INTERNAL_ERROR', undefined],
  ])('%s becomes %i %s, and tells nothing of the inside', async (code, expected, errorCode, retryAfter) => {
    const { send, logged } = apiDoing(() => Promise.reject(withCode(code)));
    const { status, body, headers } = await send();
    expect([status, body.error_code]).toEqual([expected, errorCode]);
    expect(headers['Retry-After']).toBe(retryAfter);
    expect(headers['X-Request-Id']).toBe('request-1');
    expect(headers['X-Content-Type-Options']).toBe('nosniff');
    expect(JSON.stringify(body)).not.toContain('secret');
    expect(logged.map(({ fields }) => fields.request_id)).toEqual(expected >= 500 ? ['request-1'] : []);
  });

  it.each([['text'], [undefined], [null], [{ code: 'DATABASE_UNAVAILABLE' }]])(
    'is answered whatever was thrown: %j',
    async (thrown) => {
      const { status, body } = await apiDoing(() => Promise.reject(thrown)).send();
      expect([status, body.error_code]).toEqual([500, 'INTERNAL_ERROR']);
    },
  );

  it('of ours within carries the id under which the log has it, also without an envelope', async () => {
    const { send } = apiDoing(() => Promise.reject(new Error('the secret inside')));
    const headers = { 'X-Request-Id': 'mine' };
    expect((await send({ headers })).body).toEqual({
      success: false,
      message: 'Something went wrong here; the request id finds it in the log',
      error_code: 'INTERNAL_ERROR',
      details: { request_id: 'mine' },
    });
    const path = '/api/workflows/00000000-0000-7000-8000-000000000001';
    for (const spelling of [path, path.replace('workflows', 'work%66lows')]) {
      expect((await send({ path: spelling, headers, body: { a: 1 } })).body).toEqual({
        detail: 'Something went wrong here; the request id finds it in the log (request id: mine)',
        error_code: 'INTERNAL_ERROR',
      });
    }
  });

  it('of the engine has a code of its own, and the reason is in the log only', async () => {
    const refusal = { outcome: 'defect', reason: 'the secret inside' } as const;
    const { send, logged } = apiDoing(() => Promise.reject(refusalError(refusal)));
    const { status, body } = await send();
    expect(status).toBe(500);
    expect(body).toEqual({
      success: false,
      message: 'The engine failed on this run; the request id finds it in the log',
      error_code: 'EXECUTION_ERROR',
      details: { request_id: 'request-1' },
    });
    expect(logged[0]?.fields).toMatchObject({ request_id: 'request-1', error: 'the secret inside' });
  });

  it('of ours is told as it is', async () => {
    const error = new ApiError('CONFLICT', 'Not now', {
      details: { reason: 'BUSY' },
      headers: { 'Retry-After': '9' },
    });
    const { status, body, headers } = await apiDoing(() => Promise.reject(error)).send();
    expect(status).toBe(409);
    expect(body).toEqual({
      success: false,
      message: 'Not now',
      error_code: 'CONFLICT',
      details: { reason: 'BUSY' },
    });
    expect(headers['Retry-After']).toBe('9');
  });

  it('comes before Lambda ends the invocation', async () => {
    const { send, events } = apiDoing(() => sleep(2_000, fine));
    const { status, body, headers } = await send({}, { ...apiContext, getRemainingTimeInMillis: () => 150 });
    expect([status, body.error_code]).toEqual([503, 'SERVICE_UNAVAILABLE']);
    expect(headers.RateLimit).toMatch(/^"unlimited"/);
    expect(events.at(-1)).toMatchObject({ type: 'ERROR', user: 'anonymous', action: 'do_thing' });
  });

  it('is answered for an event with hardly anything in it', async () => {
    const { api } = apiDoing(async () => fine);
    for (const event of [
      {},
      { httpMethod: 'POST', path: '/things/7', headers: null, body: null },
      { path: null },
    ]) {
      const result = await api(event as never, apiContext);
      expect(result.statusCode).toBeGreaterThanOrEqual(200);
      expect(result.headers?.['X-Request-Id']).toBeTruthy();
    }
  });
});

describe('a browser', () => {
  const origin = { Origin: 'https://app.example.com' };
  const signedIn: AuthenticationResult = {
    ok: true,
    caller: anonymousCaller,
    afterwards: null,
    remembered: null,
  };
  const preflight = { method: 'OPTIONS', headers: origin };

  it('is told what it may send, without credentials', async () => {
    const { send } = apiDoing(async () => fine, { ok: false, message: 'Who are you?' }, [origin.Origin]);
    const { status, body, headers } = await send(preflight);
    expect([status, body]).toEqual([204, null]);
    expect(headers).toMatchObject({
      Allow: 'OPTIONS, POST',
      'Access-Control-Allow-Origin': origin.Origin,
      'Access-Control-Allow-Methods': 'OPTIONS, POST',
      'Access-Control-Allow-Headers': expect.stringContaining('X-API-Key'),
      'Access-Control-Max-Age': '600',
      Vary: 'Origin',
    });
    expect(headers).not.toHaveProperty('Content-Type');
    expect(headers).not.toHaveProperty('Access-Control-Allow-Credentials');
  });

  it('of an allowed origin reads answers, errors too', async () => {
    const { send } = apiDoing(async () => fine, signedIn, [origin.Origin]);
    for (const request of [{}, { body: '{' }, { path: '/nothing' }]) {
      const { headers } = await send({ ...request, headers: origin });
      expect(headers).toMatchObject({ 'Access-Control-Allow-Origin': origin.Origin, Vary: 'Origin' });
      expect(headers['Access-Control-Expose-Headers']).toContain('RateLimit');
    }
  });

  it('of another origin, or where none is allowed, reads nothing', async () => {
    for (const origins of [[], ['https://other.example.com'], ['https://app.example.com.evil.test']]) {
      const { send } = apiDoing(async () => fine, signedIn, origins);
      for (const request of [preflight, { headers: origin }]) {
        const { headers } = await send(request);
        const cors = Object.keys(headers).filter((name) => name.startsWith('Access-Control-'));
        expect(cors).toEqual([]);
      }
    }
  });

  it('of any origin reads answers where * is allowed', async () => {
    const { send } = apiDoing(async () => fine, signedIn, ['*']);
    expect((await send({ headers: origin })).headers['Access-Control-Allow-Origin']).toBe('*');
  });

  it('asking for OPTIONS of nothing gets 404', async () => {
    const { send } = apiDoing(async () => fine, signedIn, ['*']);
    expect((await send({ ...preflight, path: '/nothing' })).status).toBe(404);
  });
});

describe('a request', () => {
  it('without its route: 404, 405 with Allow', async () => {
    const { send } = apiDoing(async () => fine);
    const unknown = await send({ path: '/nothing' });
    expect([unknown.status, unknown.body.error_code]).toEqual([404, 'NOT_FOUND']);
    const method = await send({ method: 'DELETE' });
    expect([method.status, method.body.error_code, method.headers.Allow]).toEqual([
      405,
      'METHOD_NOT_ALLOWED',
      'OPTIONS, POST',
    ]);
  });

  it('is validated: query, media type, size, JSON, fields', async () => {
    const { send } = apiDoing(async () => fine);
    const asked: [Partial<ApiRequest>, number][] = [
      [{ path: '/things/7?limit=1' }, 200],
      [{ path: '/things/7?limit=1&limit=2' }, 400],
      [{ path: '/things/7?limits=1' }, 400],
      [{ body: { a: 1 } }, 200],
      [{ body: '{"a":1}', asBase64: true }, 200],
      [{ body: '', asBase64: true }, 200],
      [{ body: '  ' }, 200],
      [{ body: { a: '1' } }, 400],
      [{ body: { b: 1 } }, 400],
      [{ body: '{' }, 400],
      [{ body: '{"__proto__":{}}' }, 400],
      [{ body: `"${'x'.repeat(100)}"` }, 413],
      [{ body: `"${'ä'.repeat(50)}"`, asBase64: true }, 413],
      [{ body: 'a=1', headers: { 'Content-Type': 'application/x-www-form-urlencoded' } }, 415],
      [{ body: '{}', headers: { 'Content-Type': 'application/json; charset=utf-8' } }, 200],
      [{ body: '{}', headers: { 'Content-Type': 'APPLICATION/JSON' } }, 200],
      [{ body: '{}', headers: { 'Content-Type': '' } }, 200],
    ];
    const statuses = await Promise.all(asked.map(async ([request]) => (await send(request)).status));
    expect(statuses).toEqual(asked.map(([, status]) => status));
  });

  it('that is not UTF-8 is refused', async () => {
    const { api } = apiDoing(async () => fine);
    const event = {
      ...apiEvent({ method: 'POST', path: '/things/7', body: 'x', asBase64: true }),
      body: '/w==',
    };
    const { status, body } = responseOf(await api(event, apiContext));
    expect([status, body.details]).toEqual([400, [{ path: '', message: 'expected JSON in UTF-8' }]]);
  });

  it('is told everything that is wrong with it at once: query, key and body', async () => {
    const { send } = apiDoing(async () => fine);
    const answer = await send({
      path: '/things/7?limits=1&limit=1&limit=2',
      headers: { 'Idempotency-Key': '' },
      body: '{"a":"1","b":"\\u0000","a":"2"}',
    });
    expect(answer.status).toBe(400);
    expect(answer.body.details).toEqual([
      { path: 'limit', message: 'expected string, received array' },
      { path: 'limits', message: 'unknown parameter' },
      { path: 'Idempotency-Key', message: 'expected 1 to 255 characters' },
      { path: 'b', message: 'expected text without the character U+0000' },
      { path: 'a', message: 'expected to be given once' },
    ]);
  });

  it('is told everything that is wrong with it at once: path, query and body of the plain face', async () => {
    const { send } = apiDoing(async () => fine);
    const { status, body } = await send({ path: '/api/workflows/7?x=1', body: {} });
    expect([status, body]).toEqual([
      400,
      {
        detail:
          'Invalid request: id: expected a UUID; x: unknown parameter; a: expected number, received undefined',
        error_code: 'BAD_REQUEST',
      },
    ]);
  });

  it.each<[what: string, body: string, message: string]>([
    ['nothing', '', 'expected a JSON body'],
    ['spaces', ' \n', 'expected a JSON body'],
    ['null', 'null', 'expected object, received null'],
    ['a list', '[]', 'expected object, received array'],
    ['a text', '"a"', 'expected object, received string'],
    ['half an object', '{"a":', 'expected JSON: Unexpected end of JSON input'],
    ['two objects', '{"a":1}{}', expect.stringMatching(/^expected JSON: /)],
    ['a number past all doubles', '{"a":1e400}', 'expected a number that fits a double (below 1.8e308)'],
    [
      'an id with too many digits',
      '{"a":9007199254740993}',
      '9007199254740993 would become 9007199254740992; send it as text',
    ],
    ['a key twice', '{"a":1,"\\u0061":2}', 'expected to be given once'],
  ])('of %s is refused', async (_what, text, message) => {
    const { send } = apiDoing(async () => fine);
    const path = '/api/workflows/00000000-0000-7000-8000-000000000001';
    for (const asBase64 of [false, true]) {
      const { status, body } = await send({ path, body: text, asBase64 });
      expect(status).toBe(400);
      expect(body.detail.replace(/^Invalid request: (a: )?/, '')).toEqual(message);
    }
  });

  it('may begin with a byte order mark', async () => {
    const { send } = apiDoing(async () => fine);
    for (const asBase64 of [false, true]) {
      expect((await send({ body: '\uFEFF{"a":1}', asBase64 })).status).toBe(200);
    }
  });

  it('that is compressed is refused, and told what is not', async () => {
    const { send, api } = apiDoing(async () => fine);
    const headers = { 'Content-Encoding': 'gzip' };
    const event = apiEvent({ method: 'POST', path: '/things/7', headers, body: 'x', asBase64: true });
    const body = gzipSync('{"a":1}').toString('base64');
    const gzip = responseOf(await api({ ...event, body }, apiContext));
    expect([gzip.status, gzip.headers['Accept-Encoding']]).toEqual([415, 'identity']);
    expect((await send({ body: '{}', headers: { 'Content-Encoding': 'identity' } })).status).toBe(200);
    const form = await send({ body: 'a=1', headers: { 'Content-Type': 'text/plain' } });
    expect([form.status, form.headers.Accept]).toEqual([415, 'application/json']);
  });

  it('may carry any parameter where nobody needs to say who they are, and no unknown one elsewhere', async () => {
    const { send } = apiDoing(async () => fine);
    expect((await send({ method: 'GET', path: '/things?probe=7' })).status).toBe(200);
    const path = '/api/workflows/00000000-0000-7000-8000-000000000001';
    expect((await send({ path: `${path}?probe=7`, body: { a: 1 } })).status).toBe(400);
  });

  it('that is refused is a use of its key too', async () => {
    let uses = 0;
    const afterwards = async () => void uses++;
    const { send } = apiDoing(async () => fine, {
      ok: true,
      caller: anonymousCaller,
      afterwards,
      remembered: null,
    });
    expect((await send({ body: '{' })).status).toBe(400);
    expect(uses).toBe(1);
  });

  it('without credentials is refused before anything else is looked at', async () => {
    const { send } = apiDoing(async () => fine, { ok: false, message: 'Who are you?' });
    const { status, body } = await send({ body: '{' });
    expect([status, body.error_code, body.message]).toEqual([401, 'UNAUTHORIZED', 'Who are you?']);
  });

  it('does not wait for what is done afterwards, nor fail by it', async () => {
    const answered = Promise.withResolvers<void>();
    const afterwards = () => answered.promise.then(() => Promise.reject(new Error('gone')));
    const { send, logged } = apiDoing(async () => fine, {
      ok: true,
      caller: anonymousCaller,
      afterwards,
      remembered: null,
    });
    expect((await send()).status).toBe(200);
    expect(logged).toEqual([]);
    answered.resolve();
    await expect.poll(() => logged).toHaveLength(1);
  });
});
