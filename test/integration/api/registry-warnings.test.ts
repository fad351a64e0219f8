import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { openRunHarness, type RunHarness } from './run-harness.ts';

/* An agent registry beside the table: what it knows is not warned of, nor what it does not say in time. */

const asked: string[] = [];
const held: ServerResponse[] = [];
let registry: Server;
let api: RunHarness;
beforeAll(async () => {
  registry = createServer((request, response) => {
    const name = request.url?.replace('/agents/', '') ?? '';
    asked.push(name);
    if (name === 'silent') return void held.push(response);
    if (name !== 'remote') return void response.writeHead(404).end();
    response.end(JSON.stringify({ name, kind: 'http', url: 'http://127.0.0.1:9/' }));
  });
  await new Promise<void>((resolve) => registry.listen(0, '127.0.0.1', resolve));
  api = await openRunHarness({
    databaseUrl: inject('databaseUrl'),
    kafkaBrokers: inject('kafkaBrokers'),
    agentRegistryUrl: `http://127.0.0.1:${(registry.address() as AddressInfo).port}`,
  });
});
afterAll(async () => {
  for (const response of held) response.destroy();
  registry?.closeAllConnections();
  registry?.close();
  await api?.close();
});

const definition = {
  name: 'with-a-registry',
  start_step: 'a',
  steps: {
    a: { agent_name: 'remote', next_step: 'b' },
    b: { agent_name: 'nobody', next_step: 'c' },
    c: { agent_name: 'silent' },
  },
};

it('what a registry knows is not warned of, nor what it does not tell in time', async () => {
  const fay = api.as('fay');
  const pathsOf = (warnings: { path: string }[]) => warnings.map(({ path }) => path);
  asked.length = 0;
  const registered = await fay({ method: 'POST', path: '/api/v1/workflows', body: definition });
  expect([registered.status, pathsOf(registered.body.meta.warnings)]).toEqual([201, ['steps.b.agent_name']]);
  expect(asked.toSorted()).toEqual(['nobody', 'remote', 'silent']);
  const path = `/api/v1/workflows/${registered.body.id}`;
  const tested = await fay({ method: 'POST', path: `${path}/test`, body: {} });
  expect(pathsOf(tested.body.meta.warnings)).toEqual(['steps.b.agent_name']);
  // Who starts a run waits for no registry: what is known is told, and what is not is nobody's warning.
  const started = await fay({ method: 'POST', path: `${path}/execute`, body: {} });
  expect(started.status).toBe(202);
  expect(pathsOf(started.body.meta.warnings)).toEqual(['steps.b.agent_name']);
  expect(api.logged).toEqual([]);
});
