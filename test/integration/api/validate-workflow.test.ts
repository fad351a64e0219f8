import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type ApiHarness, dataPipeline, openApiHarness, unregisteredAgents } from './api-harness.ts';

let api: ApiHarness;
beforeAll(async () => {
  api = await openApiHarness({ databaseUrl: inject('databaseUrl'), kafkaBrokers: inject('kafkaBrokers') });
});
afterAll(() => api?.close());

const validate = (body: unknown) =>
  api.as('ann')({ method: 'POST', path: '/api/v1/workflows/validate', body });

async function rowCount(): Promise<number> {
  const { rows } = await api.engine.database.one<{ rows: number }>(
    `select (select count(*) from workflows) + (select count(*) from workflow_versions) + (select count(*) from audit_log) as rows`,
  );
  return Number(rows);
}

describe('validating', () => {
  it('says that a definition is valid, and stores nothing', async () => {
    const before = await rowCount();
    const { status, body } = await validate(dataPipeline);
    expect([status, body.data]).toEqual([200, { valid: true, warnings: unregisteredAgents }]);
    expect(await rowCount()).toBe(before);
    expect(api.lines.join('\n')).not.toContain(' AUDIT ');
  });

  it('warns of what does nothing, as registering does', async () => {
    const extract = { ...dataPipeline.steps.extract, timeout_seconds: 30, heartbeat_seconds: 60 };
    const odd = { ...dataPipeline, name: 'odd', steps: { ...dataPipeline.steps, extract } };
    const expected = [
      ...unregisteredAgents,
      {
        path: 'steps.extract.heartbeat_seconds',
        message: 'no sign of life is ever missed: the step ends after 30 seconds',
        hint: 'Make it shorter than timeout_seconds',
      },
    ];
    const { status, body } = await validate(odd);
    expect([status, body.data]).toEqual([200, { valid: true, warnings: expected }]);
    const registered = await api.as('ann')({ method: 'POST', path: '/api/v1/workflows', body: odd });
    expect([registered.status, registered.body.meta]).toEqual([201, { warnings: expected }]);
    const path = `/api/v1/workflows/${registered.body.id}`;
    const replaced = await api.as('ann')({ method: 'PUT', path, body: { ...dataPipeline, name: 'odd' } });
    expect([replaced.status, replaced.body.meta]).toEqual([200, { warnings: unregisteredAgents }]);
  });

  it('warns of agents and workflows that its owner has not, with the nearest; so do registering, executing and testing', async () => {
    const asAdmin = api.as('root', { roles: ['admin'] });
    const addAgent = (as: typeof asAdmin, name: string) =>
      as({ method: 'POST', path: '/api/v1/agents', body: { name, url: 'https://agents.example.com/' } });
    for (const added of [
      await addAgent(api.as('cat'), 'cats-private'),
      await addAgent(api.as('bob'), 'bobs-extractor'),
      await addAgent(asAdmin, 'shared-summariser'),
    ])
      expect(added.status).toBe(201);
    const bob = api.as('bob');
    const definition = {
      name: 'named',
      start_step: 'own',
      steps: {
        own: { agent_name: 'bobs-extracter', next_step: 'shared' },
        shared: { agent_name: 'shared-sumariser', next_step: 'right' },
        right: { agent_name: 'shared-summariser', next_step: 'anothers' },
        anothers: { agent_name: 'cats-privat', next_step: 'child' },
        child: { type: 'workflow', workflow_name: 'nmaed', next_step: 'itself' },
        itself: { type: 'workflow', workflow_name: 'named' },
      },
    };
    const told = [
      ['own.agent_name', 'agent "bobs-extracter", did you mean "bobs-extractor"?'],
      ['shared.agent_name', 'agent "shared-sumariser", did you mean "shared-summariser"?'],
      ['anothers.agent_name', 'agent "cats-privat"'],
      ['child.workflow_name', 'workflow "nmaed"'],
    ];
    const textsOf = (warnings: { path: string; message: string }[]) =>
      warnings.map(({ path, message }) => [
        path.replace('steps.', ''),
        message
          .replace(/^there is no (agent "[^"]*") that the workflow's owner may use/, '$1')
          .replace("the workflow's owner has no ", ''),
      ]);
    const validated = await bob({ method: 'POST', path: '/api/v1/workflows/validate', body: definition });
    expect(textsOf(validated.body.data.warnings)).toEqual(told);
    const registered = await bob({ method: 'POST', path: '/api/v1/workflows', body: definition });
    // Now there is one of that name.
    told[3] = ['child.workflow_name', 'workflow "nmaed", did you mean "named"?'];
    expect(textsOf(registered.body.meta.warnings)).toEqual(told);
    const path = `/api/v1/workflows/${registered.body.id}`;
    expect(textsOf((await bob({ method: 'PUT', path, body: definition })).body.meta.warnings)).toEqual(told);
    const tested = await bob({ method: 'POST', path: `${path}/test`, body: {} });
    expect(textsOf(tested.body.meta.warnings)).toEqual(told);
    // Whose agents those are is not told to another who may execute it.
    const granted = await bob({
      method: 'PUT',
      path: `${path}/permissions`,
      body: { user_id: 'dan', can_execute: true },
    });
    expect(granted.status).toBeLessThan(300);
    const testedByDan = await api.as('dan')({ method: 'POST', path: `${path}/test`, body: {} });
    expect(textsOf(testedByDan.body.meta.warnings)).toEqual([
      ['own.agent_name', 'agent "bobs-extracter"'],
      told[1],
      told[2],
      ['child.workflow_name', 'workflow "nmaed"'],
    ]);
  });

  it('warns of texts that look like paths', async () => {
    const body = {
      name: 'texts',
      start_step: 'a',
      steps: {
        a: { type: 'pass', result: { whole: '{{name}}', bare: 'workflow_input.name', escaped: '\\$.name' } },
      },
    };
    const { body: answer } = await validate(body);
    expect(
      answer.data.warnings.map(({ path, hint }: { path: string; hint: string }) => [path, hint]),
    ).toEqual([
      [
        'steps.a.result.whole',
        'Write what is meant as a string of its own: "$.workflow_input.name". Leave it where the agent itself fills it in',
      ],
      ['steps.a.result.bare', 'Write it as a path: "$.workflow_input.name"'],
    ]);
  });

  it('tells everything that is wrong, as registering does, and stores nothing', async () => {
    const before = await rowCount();
    const wrong = {
      ...dataPipeline,
      steps: {
        extract: { agent_nam: 'data-extractor', next_step: 'transfrom' },
        transform: { ...dataPipeline.steps.transform, timeout_seconds: -1 },
      },
    };
    const answers = [
      await validate(wrong),
      await api.as('ann')({ method: 'POST', path: '/api/v1/workflows', body: wrong }),
    ];
    const [validated, registered] = answers;
    expect(validated?.status).toBe(400);
    expect(validated?.body).toEqual(registered?.body);
    expect(validated?.body.details.map(({ path }: { path: string }) => path)).toEqual(
      expect.arrayContaining(['steps.extract.agent_nam', 'steps.transform.timeout_seconds']),
    );
    expect(await rowCount()).toBe(before);
  });

  it('needs no more than a key that reads', async () => {
    const { key } = await api.makeApiKey('ann', [], { scopes: ['read'] });
    const path = '/api/v1/workflows/validate';
    const headers = { 'X-API-Key': key };
    expect((await api.send({ method: 'POST', path, headers, body: dataPipeline })).status).toBe(200);
    expect((await api.send({ path, headers })).status).toBe(405);
  });
});
