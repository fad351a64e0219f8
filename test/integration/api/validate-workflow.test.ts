import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type ApiHarness, dataPipeline, openApiHarness } from './api-harness.ts';

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
    expect([status, body.data]).toEqual([200, { valid: true, warnings: [] }]);
    expect(await rowCount()).toBe(before);
    expect(api.lines.join('\n')).not.toContain(' AUDIT ');
  });

  it('warns of what does nothing, as registering does', async () => {
    const extract = { ...dataPipeline.steps.extract, timeout_seconds: 30, heartbeat_seconds: 60 };
    const odd = { ...dataPipeline, name: 'odd', steps: { ...dataPipeline.steps, extract } };
    const expected = [
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
    expect([replaced.status, replaced.body.meta]).toEqual([200, { warnings: [] }]);
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
