import { describe, expect, it } from 'vitest';
import { defineRoute, type Method } from '../../../functions/api/http/route.ts';
import { createRouter } from '../../../functions/api/http/router.ts';
import { allRoutes } from '../../../functions/api/routes/all-routes.ts';

const route = (method: Method, path: string) =>
  defineRoute({
    method,
    path,
    operationId: `${method} ${path}`,
    summary: '',
    operation: { tags: ['service'], answers: {} },
    authentication: 'none',
    handle: async () => ({ status: 200, message: '', data: null }),
  });

const match = createRouter([
  route('GET', '/workflows'),
  route('POST', '/workflows'),
  route('GET', '/workflows/{id}'),
  route('DELETE', '/workflows/{id}'),
  route('GET', '/workflows/executions'),
  route('GET', '/workflows/executions/{execution_id}'),
  route('GET', '/workflows/{id}/executions'),
  route('POST', '/workflows/{id}/execute'),
]);

describe('the router', () => {
  it.each([
    ['GET', '/workflows', 'GET /workflows', {}],
    ['GET', '/workflows/', 'GET /workflows', {}],
    ['HEAD', '/workflows', 'GET /workflows', {}],
    ['GET', '/workflows/7', 'GET /workflows/{id}', { id: '7' }],
    ['GET', '/workflows/a%2Fb%20%C3%A4', 'GET /workflows/{id}', { id: 'a/b ä' }],
    ['GET', '/workflows/executions', 'GET /workflows/executions', {}],
    ['GET', '/workflows/executions/7', 'GET /workflows/executions/{execution_id}', { execution_id: '7' }],
    ['GET', '/workflows/7/executions', 'GET /workflows/{id}/executions', { id: '7' }],
    [
      'GET',
      '/workflows/executions/executions',
      'GET /workflows/executions/{execution_id}',
      { execution_id: 'executions' },
    ],
  ])('%s %s', (method, path, operationId, params) => {
    expect(match(method, path)).toMatchObject({ kind: 'route', route: { operationId }, params });
  });

  it.each([
    '/',
    '',
    '/nowhere',
    '/workflows/7/execute/x',
    '/workflows//execute',
    '/Workflows',
    '/workflows/%',
    '/workflows/%ff',
    '//workflows',
  ])('knows no %s', (path) => {
    expect(match('GET', path)).toEqual({ kind: 'not_found' });
  });

  it.each([
    ['PUT', '/workflows', 'GET, HEAD, OPTIONS, POST'],
    ['PATCH', '/workflows/7', 'DELETE, GET, HEAD, OPTIONS'],
    ['GET', '/workflows/7/execute', 'OPTIONS, POST'],
    ['HEAD', '/workflows/7/execute', 'OPTIONS, POST'],
    ['OPTIONS', '/workflows/7/execute', 'OPTIONS, POST'],
    ['constructor', '/workflows', 'GET, HEAD, OPTIONS, POST'],
  ])('%s is no method of %s', (method, path, allow) => {
    expect(match(method, path)).toEqual({ kind: 'method_not_allowed', allow });
  });

  it('refuses two routes that match the same', () => {
    expect(() => createRouter([route('GET', '/a/{id}'), route('GET', '/a/{name}')])).toThrow('Two routes');
  });

  it('has an operationId of its own for each of our routes', () => {
    const ids = allRoutes.map(({ operationId }) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
    expect(() => createRouter(allRoutes)).not.toThrow();
  });
});
