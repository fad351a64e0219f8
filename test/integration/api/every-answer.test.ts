import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { allRoutes } from '../../../functions/api/routes/all-routes.ts';
import type { ApiRequest, ApiResponse } from '../../support/api-event.ts';
import { openRunHarness, type RunHarness } from './run-harness.ts';

/* What every answer of every route has in common, whatever goes wrong. */

let api: RunHarness;
let executionId = '';
beforeAll(async () => {
  api = await openRunHarness({ databaseUrl: inject('databaseUrl'), kafkaBrokers: inject('kafkaBrokers') });
  executionId = (await api.startedRun()).slice('run-'.length);
});
afterAll(() => api?.close());

const NOTHING = '01933cf0-0000-7000-8000-000000000000';
type Route = (typeof allRoutes)[number];
/** Of things that are there and ann's, where they are named by an id; else of nothing. */
const pathOf = ({ path }: Route) =>
  path
    .replace('/executions/{id}', `/executions/${executionId}`)
    .replace('{id}', path.includes('/workflows/{id}') ? api.workflowId : NOTHING)
    .replace('{run_id}', `run-${executionId}`)
    .replace('{name}', 'approved')
    .replaceAll(/\{\w+\}/g, NOTHING);
const isPlain = ({ path }: Route) => /^\/api\/workflows(\/|$)/.test(path);

function expectCommon({ headers }: ApiResponse): void {
  expect(headers).toMatchObject({
    'X-Request-Id': 'asked-for-1',
    'RateLimit-Policy': expect.stringMatching(/^"[a-z-]+";q=\d+;w=60$/),
    RateLimit: expect.stringMatching(/^"[a-z-]+";r=\d+;t=\d+$/),
    'X-Content-Type-Options': 'nosniff',
    'X-Frame-Options': 'DENY',
    'Content-Security-Policy': expect.any(String),
    'Strict-Transport-Security': expect.any(String),
    'Referrer-Policy': 'no-referrer',
    'Cache-Control': expect.any(String),
  });
}

function expectError(route: Route, answer: ApiResponse, expected: readonly [number, string]): void {
  expectCommon(answer);
  expect([answer.status, answer.body.error_code]).toEqual(expected);
  expect(Object.keys(answer.body).sort()).toEqual(
    isPlain(route) ? ['detail', 'error_code'] : ['details', 'error_code', 'message', 'success'],
  );
  expect(answer.body.detail ?? answer.body.message).toEqual(expect.any(String));
  if (answer.body.success !== undefined) expect(answer.body.success).toBe(false);
}

describe.each(allRoutes.map((route) => [`${route.method} ${route.path}`, route] as const))(
  '%s',
  (_name, route) => {
    const isGuarded = route.authentication === 'caller';
    const headers = { 'X-Request-Id': 'asked-for-1' };
    const ask = (request: Partial<ApiRequest>) => {
      const whole = { method: route.method, path: pathOf(route), ...request };
      const send = isGuarded ? api.as('ann') : api.send;
      return send({ ...whole, headers: { ...headers, ...request.headers } });
    };

    it('405 with Allow, and OPTIONS', async () => {
      const other = await ask({ method: 'PATCH' });
      expectError(route, other, [405, 'METHOD_NOT_ALLOWED']);
      const options = await ask({ method: 'OPTIONS' });
      expectCommon(options);
      expect([options.status, options.body]).toEqual([204, null]);
      for (const answer of [other, options]) {
        const allowed = (answer.headers.Allow ?? '').split(', ');
        expect(allowed).toEqual(expect.arrayContaining([route.method, 'OPTIONS']));
        expect(allowed.includes('HEAD')).toBe(allowed.includes('GET'));
      }
    });

    if (isGuarded) {
      it('401 with how to authenticate', async () => {
        const answer = await api.send({ method: route.method, path: pathOf(route), headers });
        expectError(route, answer, [401, 'UNAUTHORIZED']);
        expect(answer.headers['WWW-Authenticate']).toMatch(/^Bearer/);
      });

      it('429 with Retry-After', async () => {
        const userId = `ann-${route.operationId}`;
        const { key } = await api.makeApiKey(userId, [], { tier: 'standard' });
        await api.engine.database.execute(
          `insert into rate_limits (bucket, tokens, refilled_at, admitted) values ($1, -5, clock_timestamp(), true)`,
          [`user:standard:${userId}`],
        );
        const answer = await api.send({
          method: route.method,
          path: pathOf(route),
          headers: { ...headers, 'X-API-Key': key },
        });
        expectError(route, answer, [429, 'RATE_LIMITED']);
        expect(Number(answer.headers['Retry-After'])).toBeGreaterThan(0);
        expect(answer.headers.RateLimit).toMatch(/^"standard";r=0;/);
      });

      it('403 where the key is narrowed to something else', async () => {
        // An admin's, who may read everything.
        const { key } = await api.makeApiKey('ann', ['admin'], { scopes: ['read'] });
        const answer = await api.send({
          method: route.method,
          path: pathOf(route),
          headers: { ...headers, 'X-API-Key': key },
        });
        const isRead = route.scope === 'read' || (route.scope === undefined && route.method === 'GET');
        if (!isRead) expectError(route, answer, [403, 'PERMISSION_DENIED']);
        else expect(answer.status).not.toBe(403);
      });
    }

    const { body: bodySpec } = route;
    if (bodySpec && isGuarded) {
      it('415 and 413 before anything of the body is read', async () => {
        const isThere = !pathOf(route).includes(NOTHING);
        const type = isThere ? ([415, 'UNSUPPORTED_MEDIA_TYPE'] as const) : ([404, 'NOT_FOUND'] as const);
        const size = isThere ? ([413, 'PAYLOAD_TOO_LARGE'] as const) : ([404, 'NOT_FOUND'] as const);
        const form = { 'Content-Type': 'application/x-www-form-urlencoded' };
        expectError(route, await ask({ body: 'a=1', headers: form }), type);
        const big = `{"a":"${'x'.repeat(bodySpec.maxBytes)}"}`;
        expectError(route, await ask({ body: big, asBase64: true }), size);
        expectError(route, await ask({ body: big }), size);
      });
    }

    if (route.method === 'GET') {
      it('HEAD is GET without its body', async () => {
        const [head, get] = [await ask({ method: 'HEAD' }), await ask({})];
        expectCommon(head);
        expect([head.status, head.body]).toEqual([get.status, null]);
        expect(head.headers['Content-Type']).toBe(get.headers['Content-Type']);
      });

      it('a slash at the end, and other spellings of the path, are the same path', async () => {
        const { status } = await ask({});
        const path = pathOf(route);
        for (const spelling of [
          `${path}/`,
          path.replace(/[a-z](?=[^/]*$)/, (letter) => `%${letter.charCodeAt(0).toString(16)}`),
        ]) {
          expect((await ask({ path: spelling })).status).toBe(status);
        }
        expect((await ask({ path: `${path}//` })).status).toBe(404);
      });

      if (isGuarded) {
        it('an unknown parameter is refused by its name, wherever there is something to ask about', async () => {
          const answer = await ask({ path: `${pathOf(route)}?unheard_of=1` });
          if (pathOf(route).includes(NOTHING)) expectError(route, answer, [404, 'NOT_FOUND']);
          else {
            expectError(route, answer, [400, 'BAD_REQUEST']);
            expect(JSON.stringify(answer.body)).toContain('unheard_of');
          }
        });
      }
    }
  },
);

it.each(['/', '/api', '/api/v1', '/api/v2/runs', '/api/v1/runs/a/b/c', '/api/v1//runs', '/%zz'])(
  '404 for %s',
  async (path) => {
    const answer = await api.send({ path, headers: { 'X-Request-Id': 'asked-for-1' } });
    expectCommon(answer);
    expect(answer.body).toEqual({
      success: false,
      message: 'Path not found',
      error_code: 'NOT_FOUND',
      details: {},
    });
  },
);

it.each(['/api/workflows', '/api/workflows/a/b', '/api/workflows/executions/a/b/c'])(
  '404 for %s without an envelope',
  async (path) => {
    const answer = await api.send({ path, headers: { 'X-Request-Id': 'asked-for-1' } });
    expectCommon(answer);
    expect(answer.body).toEqual({ detail: 'Path not found', error_code: 'NOT_FOUND' });
  },
);
