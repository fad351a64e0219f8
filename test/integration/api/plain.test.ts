import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { ApiResponse } from '../../support/api-event.ts';
import { dataPipeline } from './api-harness.ts';
import { openRunHarness, type RunHarness } from './run-harness.ts';

let api: RunHarness;
beforeAll(async () => {
  api = await openRunHarness({ databaseUrl: inject('databaseUrl'), kafkaBrokers: inject('kafkaBrokers') });
});
afterAll(() => api?.close());

const executions = '/api/workflows/executions';
const input_data = { source_url: 's3://bucket/data.csv' };
const errorOf = ({ status, body }: ApiResponse) => [status, body.error_code, Object.keys(body).sort()];
const NOT_FOUND = [404, 'NOT_FOUND', ['detail', 'error_code']];
const BAD_REQUEST = [400, 'BAD_REQUEST', ['detail', 'error_code']];

const execute = (workflowId: string, body: unknown = { input_data }) => ({
  method: 'POST',
  path: `/api/workflows/${workflowId}/execute`,
  body,
});
async function started(user = 'ann', workflowId = api.workflowId): Promise<string> {
  return (await api.as(user)(execute(workflowId))).body.execution_id;
}
const runIdOf = (id: string) => `run-${id}`;

describe('executing', () => {
  it('answers 202 with the execution alone', async () => {
    const { status, body, headers } = await api.as('ann')(execute(api.workflowId));
    expect(status).toBe(202);
    expect(body).toEqual({
      execution_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      status: 'pending',
      output_data: null,
      error_message: null,
    });
    expect(headers.Location).toBe(`${executions}/${body.execution_id}`);
  });

  it('takes no input, and refuses a bad one', async () => {
    for (const body of [undefined, {}, { input_data: null }]) {
      expect((await api.as('ann')(execute(api.workflowId, body))).status).toBe(202);
    }
    const bad = await api.as('ann')(execute(api.workflowId, { input_data: 'x', other: 1 }));
    expect(errorOf(bad)).toEqual(BAD_REQUEST);
    expect(bad.body.detail).toContain('input_data: expected an object');
    expect(bad.body.detail).toContain('other: unknown field');
    const notJson = await api.as('ann')(execute(api.workflowId, '{'));
    expect(errorOf(notJson)).toEqual(BAD_REQUEST);
  });

  it('is for one’s own workflows only, an admin’s too', async () => {
    const WORKFLOW_NOT_FOUND = [404, 'WORKFLOW_NOT_FOUND', ['detail', 'error_code']];
    for (const send of [api.as('bob'), api.as('root', { roles: ['admin'] })]) {
      expect(errorOf(await send(execute(api.workflowId)))).toEqual(WORKFLOW_NOT_FOUND);
    }
    expect(errorOf(await api.as('ann')(execute(randomUUID())))).toEqual(WORKFLOW_NOT_FOUND);
  });

  it('takes an Idempotency-Key', async () => {
    const request = { ...execute(api.workflowId), headers: { 'Idempotency-Key': 'plain-1' } };
    const first = await api.as('ann')(request);
    const again = await api.as('ann')(request);
    expect([again.status, again.body.execution_id]).toEqual([202, first.body.execution_id]);
    const other = await api.as('ann')({ ...request, body: { input_data: {} } });
    expect(errorOf(other)).toEqual([409, 'CONFLICT', ['detail', 'error_code']]);
  });
});

describe('an execution', () => {
  it('is shown with its data', async () => {
    const id = await started();
    await api.pickUp(runIdOf(id));
    await api.settle(runIdOf(id));
    const { status, body } = await api.as('ann')({ path: `${executions}/${id}` });
    expect(status).toBe(200);
    expect(body).toEqual({
      id,
      workflow_id: api.workflowId,
      status: 'running',
      input_data,
      output_data: null,
      error_message: null,
      started_at: expect.stringMatching(/Z$/),
      completed_at: null,
    });
  });

  it('of another is 404, for an admin and a viewer too', async () => {
    const id = await started();
    await api.as('ann')({
      method: 'POST',
      path: `/api/v1/workflows/${api.workflowId}/permissions`,
      body: { user_id: 'vera', can_view: true, can_execute: true },
    });
    for (const send of [api.as('bob'), api.as('vera'), api.as('root', { roles: ['admin'] })]) {
      for (const [method, path] of [
        ['GET', `${executions}/${id}`],
        ['GET', `${executions}/${id}/logs`],
        ['POST', `${executions}/${id}/cancel`],
      ] as const) {
        expect(errorOf(await send({ method, path }))).toEqual(NOT_FOUND);
      }
      expect((await send({ path: executions })).body).toEqual([]);
    }
  });

  it('whose id is no UUID is 400, naming the field', async () => {
    for (const [method, path, field] of [
      ['GET', `${executions}/x`, 'id'],
      ['GET', `${executions}/x/logs`, 'id'],
      ['POST', `${executions}/run-1/cancel`, 'id'],
      ['POST', '/api/workflows/x/execute', 'id'],
      ['GET', `${executions}?workflow_id=x`, 'workflow_id'],
    ] as const) {
      const answer = await api.as('ann')({ method, path });
      expect(errorOf(answer)).toEqual(BAD_REQUEST);
      expect(answer.body.detail).toBe(`Invalid request: ${field}: expected a UUID`);
    }
    expect(errorOf(await api.as('ann')({ path: `${executions}/${randomUUID()}` }))).toEqual(NOT_FOUND);
  });

  it('is refused to nobody in this form', async () => {
    const answers = [
      await api.send({ path: executions }),
      await api.as('ann')({ path: '/api/workflows/nothing/here/at/all' }),
      await api.as('ann')({ method: 'DELETE', path: `${executions}/${randomUUID()}` }),
    ];
    expect(answers.map(errorOf)).toEqual([
      [401, 'UNAUTHORIZED', ['detail', 'error_code']],
      NOT_FOUND,
      [405, 'METHOD_NOT_ALLOWED', ['detail', 'error_code']],
    ]);
  });
});

describe('cancelling', () => {
  it('closes what is pending or running, once', async () => {
    const [pending, running] = [await started(), await started()];
    await api.pickUp(runIdOf(running));
    for (const id of [pending, running]) {
      const cancel = { method: 'POST', path: `${executions}/${id}/cancel` };
      const { status, body } = await api.as('ann')(cancel);
      expect([status, body]).toEqual([
        200,
        { execution_id: id, status: 'cancelled', output_data: null, error_message: null },
      ]);
      const again = await api.as('ann')(cancel);
      expect(errorOf(again)).toEqual(BAD_REQUEST);
      expect(again.body.detail).toBe('The run has ended already');
    }
  });
});

describe('the list', () => {
  const asLea = () => api.as('lea');
  let workflows: string[];
  let ids: string[];
  beforeAll(async () => {
    workflows = [];
    for (const name of ['one', 'two']) {
      const body = { ...dataPipeline, name };
      workflows.push((await asLea()({ method: 'POST', path: '/api/v1/workflows', body })).body.id);
    }
    ids = [];
    for (const place of [0, 1, 0, 1]) ids.push(await started('lea', workflows[place]));
    // The oldest is picked up last: the list is by the start.
    await api.pickUp(runIdOf(ids[0]!));
  });
  const list = async (query = '') => {
    const answer = await asLea()({ path: `${executions}${query}` });
    return { ...answer, places: answer.body.map(({ id }: { id: string }) => ids.indexOf(id)) as number[] };
  };

  it('has one’s own, the latest start first', async () => {
    const { status, body, places, headers } = await list();
    expect([status, places]).toEqual([200, [0, 3, 2, 1]]);
    expect(headers).not.toHaveProperty('Link');
    expect(Object.keys(body[0])).toEqual([
      'id',
      'workflow_id',
      'status',
      'input_data',
      'output_data',
      'error_message',
      'started_at',
      'completed_at',
    ]);
  });

  it('is filtered by workflow, status and start', async () => {
    expect((await list(`?workflow_id=${workflows[0]!.toUpperCase()}`)).places).toEqual([0, 2]);
    expect((await list('?status_filter=running')).places).toEqual([0]);
    expect((await list(`?status_filter=pending&workflow_id=${workflows[1]}`)).places).toEqual([3, 1]);
    expect((await list('?status_filter=paused')).places).toEqual([]);
    const { body } = await list();
    const third = body[1].started_at as string;
    expect((await list(`?started_after=${third}`)).places).toEqual([0, 3]);
    expect((await list(`?started_before=${third}`)).places).toEqual([2, 1]);
  });

  it('has pages, and says where the next one is', async () => {
    const first = await list('?limit=3&status_filter=pending,running');
    expect(first.places).toEqual([0, 3, 2]);
    const [, next] = /^<(.*)>; rel="next"$/.exec(first.headers.Link!)!;
    expect(next).toBe(`${executions}?status_filter=pending%2Crunning&limit=3&offset=3`);
    const second = await asLea()({ path: next! });
    expect(second.body.map(({ id }: { id: string }) => ids.indexOf(id))).toEqual([1]);
    expect(second.headers).not.toHaveProperty('Link');
    expect((await list('?offset=9')).places).toEqual([]);
  });

  it('ends early where an answer can carry no more', async () => {
    const big = { input_data: { text: 'x'.repeat(250_000) } };
    for (let i = 0; i < 12; i++) await api.as('max')(execute(await ownWorkflow('max'), big));
    const first = await api.as('max')({ path: `${executions}?limit=12` });
    expect(first.body.length).toBeLessThan(12);
    const [, next] = /^<(.*)>/.exec(first.headers.Link!)!;
    const second = await api.as('max')({ path: next! });
    const all = [...first.body, ...second.body].map(({ id }) => id);
    expect(new Set(all).size).toBe(12);
  });
  async function ownWorkflow(user: string): Promise<string> {
    const { body } = await api.as(user)({ method: 'GET', path: '/api/v1/workflows' });
    if (body.data.length > 0) return body.data[0].id;
    const made = await api.as(user)({ method: 'POST', path: '/api/v1/workflows', body: dataPipeline });
    return made.body.id;
  }

  it('refuses a bad query, naming all of it', async () => {
    const answer = await asLea()({
      path: `${executions}?status_filter=done&limit=101&offset=-1&started_after=x&y=1`,
    });
    expect(errorOf(answer)).toEqual(BAD_REQUEST);
    for (const field of ['status_filter', 'limit', 'offset', 'started_after', 'y']) {
      expect(answer.body.detail).toContain(`${field}: `);
    }
  });
});

describe('the logs', () => {
  let id: string;
  beforeAll(async () => {
    id = await started();
    await api.pickUp(runIdOf(id));
    await api.settle(runIdOf(id));
    await api.settle(runIdOf(id), true);
    await api.engine.database.execute(
      `update step_executions set step_type = 'ai', logs = '["Half of 50% done", "50 percent"]' where run_id = $1 and step_id = 'extract'`,
      [runIdOf(id)],
    );
  });
  const logs = async (query = '') => api.as('ann')({ path: `${executions}/${id}/logs${query}` });
  const namesOf = ({ body }: ApiResponse) => body.map(({ step_name }: { step_name: string }) => step_name);

  it('have each attempt, oldest first', async () => {
    const { status, body } = await logs();
    expect(status).toBe(200);
    expect(body).toEqual([
      {
        id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        step_name: 'extract',
        step_type: 'ai',
        input_data: { source: input_data.source_url },
        output_data: { rows: 3 },
        duration_ms: expect.any(Number),
        error_message: null,
        timestamp: expect.stringMatching(/Z$/),
        step_id: 'extract',
        status: 'completed',
        attempt: 1,
        error_code: null,
        logs: ['Half of 50% done', '50 percent'],
      },
      expect.objectContaining({
        step_name: 'transform',
        step_type: 'agent',
        output_data: null,
        error_message: 'It broke',
        error_code: 'BROKEN',
      }),
    ]);
  });

  it.each([
    ['step_type=ai&limit=50', ['extract']],
    ['step_name=transform', ['transform']],
    ['step_type=ai&step_name=transform', []],
    ['has_error=true', ['transform']],
    ['has_error=false', ['extract']],
    ['q=BROKE', ['transform']],
    ['q=50%25', ['extract']],
    ['q=percent', ['extract']],
    ['q=_ercent', []],
    ['q=nowhere', []],
    ['offset=1', ['transform']],
    ['limit=1', ['extract']],
  ])('filtered by %s', async (query, names) => {
    expect(namesOf(await logs(`?${query}`))).toEqual(names);
  });

  it('go on where their header says', async () => {
    const { headers } = await logs('?limit=1&q=e');
    expect(headers.Link).toBe(`<${executions}/${id}/logs?q=e&limit=1&offset=1>; rel="next"`);
  });

  it.each(['limit=0', 'limit=1001', 'has_error=1', 'step_type=', 'q=%00', 'x=1'])(
    'refuse %s',
    async (query) => {
      expect(errorOf(await logs(`?${query}`))).toEqual(BAD_REQUEST);
    },
  );
});
