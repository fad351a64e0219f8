import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type ApiHarness, dataPipeline, openApiHarness } from './api-harness.ts';

let api: ApiHarness;
let workflow: string;
beforeAll(async () => {
  api = await openApiHarness({ databaseUrl: inject('databaseUrl'), kafkaBrokers: inject('kafkaBrokers') });
  const made = await api.as('ann')({ method: 'POST', path: '/api/v1/workflows', body: dataPipeline });
  workflow = `/api/v1/workflows/${made.body.id}`;
});
afterAll(() => api?.close());

const fields = (count: number, value: string) =>
  `{${Array.from({ length: count }, (_, i) => `"a${i}":${value}`).join(',')}}`;

describe('much that is wrong below one long key', () => {
  const longKey = (length: number, value: string) => `{"${'k'.repeat(length)}":${value}}`;
  const step = (more: string) =>
    `{"name":"x","start_step":"s","steps":{"s":{"agent_name":"a","input_mapping":${more}}}}`;
  it.each<[what: string, path: () => string, body: string]>([
    [
      'values that cannot be stored',
      () => `${workflow}/execute`,
      `{"input_data":${longKey(250_000, fields(100, '"\\u0000"'))}}`,
    ],
    [
      'keys that come twice',
      () => `${workflow}/execute`,
      `{"input_data":${longKey(250_000, `{${'"a":1,'.repeat(100)}"a":1}`)}}`,
    ],
    ['unknown fields', () => `${workflow}/test`, `{"mocks":${longKey(1_500_000, fields(40_000, '1'))}}`],
    [
      'answers that are none',
      () => `${workflow}/test`,
      `{"mocks":${longKey(1_500_000, `[${Array(40_000).fill(1)}]`)}}`,
    ],
    ['paths that do not parse', () => '/api/v1/workflows', step(longKey(400_000, fields(20_000, '"$."')))],
  ])('is answered in short: %s', async (_what, path, text) => {
    const { status, body } = await api.as('ann')({ method: 'POST', path: path(), body: text });
    expect([status, body.error_code]).toEqual([400, 'BAD_REQUEST']);
    expect(body.details.length).toBeGreaterThan(0);
    expect(JSON.stringify(body).length).toBeLessThan(300_000);
  });
});

describe('a moment or a place in a list', () => {
  const id = '01933cf0-0000-7000-8000-000000000000';
  const forged = (key: string) => Buffer.from(JSON.stringify([key, id])).toString('base64url');
  it.each([
    ['started_after', encodeURIComponent('2024-01-15T10:30:00+23:00')],
    ['started_before', `2024-01-15T10:30:00.${'1'.repeat(300)}Z`],
    ['cursor', forged('2026-02-30T00:00:00.000000Z')],
    ['cursor', forged('0000-01-01T00:00:00.000000Z')],
  ])('that the database does not know is refused by its name: %s=%s', async (name, value) => {
    const { status, body } = await api.as('ann')({ path: `/api/v1/runs?${name}=${value}` });
    expect([status, body.details]).toEqual([400, [{ path: name, message: expect.any(String) }]]);
  });

  it('before all time has no day before it', async () => {
    const path = `${workflow}/metrics?started_before=0001-01-01T00:00:00Z`;
    const { status, body } = await api.as('ann')({ path });
    expect([status, body.details]).toEqual([
      400,
      [{ path: 'started_after', message: 'expected a moment before started_before' }],
    ]);
  });

  it('of an API key is of a year that a timestamp can have', async () => {
    const make = (expires_at: string) =>
      api.as('ann')({ method: 'POST', path: '/api/v1/api-keys', body: { name: 'late', expires_at } });
    expect((await make('9999-12-31T23:59:59Z')).body.data.expires_at).toBe('9999-12-31T23:59:59.000Z');
    const { status, body } = await make('9999-12-31T23:59:59-10:00');
    expect([status, body.details]).toEqual([
      400,
      [{ path: 'expires_at', message: 'expected a time before the year 10000' }],
    ]);
  });
});
