import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { limits } from '../../../shared/config/limits.ts';
import { dataPipeline } from './api-harness.ts';
import { codeOf, openRunHarness, type RunHarness } from './run-harness.ts';

let api: RunHarness;
beforeAll(async () => {
  api = await openRunHarness({ databaseUrl: inject('databaseUrl'), kafkaBrokers: inject('kafkaBrokers') });
});
afterAll(() => api?.close());

const post = (path: string, body?: unknown) => api.as('ann')({ method: 'POST', path, body });
const retry = (runId: string, body?: unknown) => post(`/api/v1/runs/${runId}/retry`, body);
const stepsOf = async (runId: string) =>
  (await api.as('ann')({ path: `/api/v1/runs/${runId}/steps` })).body.data;
const runOf = async (runId: string) => (await api.as('ann')({ path: `/api/v1/runs/${runId}` })).body.data;

let names = 0;
const { extract, transform } = dataPipeline.steps;
async function newWorkflow(definition: object = dataPipeline) {
  const name = `retried-${names++}`;
  const { id } = (await post('/api/v1/workflows', { ...definition, name })).body;
  return { id, name, execute: async () => (await post(`/api/v1/workflows/${id}/execute`)).body.run_id };
}
async function completed(): Promise<string> {
  const runId = await api.startedRun();
  await api.pickUp(runId);
  await api.settle(runId);
  await api.settle(runId);
  expect((await runOf(runId)).status).toBe('COMPLETED');
  return runId;
}
/** What its request asks for: the attempt begins. */
async function begin(runId: string): Promise<void> {
  const event = { type: 'step_requested', stepExecutionId: await api.openAttempt(runId) } as const;
  await api.engine.processBatch([{ runId, event }]);
}

describe('from a step', () => {
  it('a completed run goes back, with an input in place of the mapping’s', async () => {
    const runId = await completed();
    const { status, body } = await retry(runId, { from_step: 'extract', input_data: { source: 'edited' } });
    expect([status, body.status]).toEqual([202, 'RUNNING']);
    await begin(runId);
    expect((await stepsOf(runId)).at(-1)).toMatchObject({
      step_id: 'extract',
      visit: 2,
      input_data: { source: 'edited' },
    });
    await api.settle(runId);
    await api.settle(runId);
    expect((await runOf(runId)).status).toBe('COMPLETED');
    const execution = await api.as('ann')({
      path: `/api/v1/workflows/executions/${runId.slice('run-'.length)}`,
    });
    expect(execution.body.data.execution_path).toEqual(['extract', 'transform', 'extract#2', 'transform#2']);
  });

  it('takes the numbers that the API itself shows, and none that would be others', async () => {
    const runId = await completed();
    const again = (n: string) => retry(runId, `{"from_step":"extract","input_data":{"n":[${n}]}}`);
    const refused = await again('12345678901234567890');
    expect([refused.status, refused.body.details]).toEqual([
      400,
      [
        {
          path: 'input_data.n.0',
          message: '12345678901234567890 would become 12345678901234567000; send it as text',
        },
      ],
    ]);
    expect((await again('12345678901234567000,1e308,5e-324,0.1,1.0')).status).toBe(202);
    await begin(runId);
    const shown = JSON.stringify((await stepsOf(runId)).at(-1).input_data);
    expect(shown).toBe('{"n":[12345678901234567000,1e+308,5e-324,0.1,1]}');
  });

  it('a failed run may be given another input where it failed', async () => {
    const runId = await api.startedRun();
    await api.pickUp(runId);
    await api.settle(runId, true);
    expect((await retry(runId, { input_data: { source: 'right' } })).status).toBe(202);
    await begin(runId);
    expect((await stepsOf(runId)).at(-1)).toMatchObject({ attempt: 2, input_data: { source: 'right' } });
  });

  it('that the workflow has not is 400, with what was probably meant', async () => {
    const runId = await completed();
    const { status, body } = await retry(runId, { from_step: 'extrat' });
    expect(status).toBe(400);
    expect(body.details).toEqual([
      { path: 'from_step', message: 'expected the id of a step of this workflow, did you mean "extract"?' },
    ]);
  });

  it('that the run has not come to is 400, as is a scope that it has not', async () => {
    const runId = await api.startedRun();
    await api.pickUp(runId);
    await api.settle(runId, true);
    const refused = async (body: unknown) => {
      const answer = await retry(runId, body);
      return [answer.status, ...answer.body.details.map(({ path }: { path: string }) => path)];
    };
    expect(await refused({ from_step: 'transform' })).toEqual([400, 'from_step']);
    expect(await refused({ from_step: 'extract', from_scope: 'each#1/0' })).toEqual([400, 'from_scope']);
    expect((await runOf(runId)).status).toBe('FAILED');
  });

  it('that takes no input is not given one', async () => {
    const { execute } = await newWorkflow({ start_step: 'end', steps: { end: { type: 'succeed' } } });
    const runId = await execute();
    await api.pickUp(runId);
    const refused = await retry(runId, { from_step: 'end', input_data: { a: 1 } });
    expect(codeOf(refused)).toEqual([400, 'BAD_REQUEST']);
    expect(refused.body.details).toMatchObject([{ path: 'input_data' }]);
  });
});

describe('on another version', () => {
  it('a run goes on as that has it', async () => {
    const { id, name, execute } = await newWorkflow();
    const runId = await execute();
    await api.pickUp(runId);
    await api.settle(runId);
    await api.settle(runId, true);
    const next = { ...transform, input_mapping: { rows: '$.extract.output_data.rows' }, next_step: 'load' };
    const steps = { extract, transform: next, load: { agent_name: 'loader' } };
    await post('/api/v1/workflows', { ...dataPipeline, name, steps });
    const { status, body } = await retry(runId, { version: 'latest' });
    expect([status, body.data.version, body.data.workflow_id]).toEqual([202, 2, `wf-${name}-2`]);
    expect(body.data.workflow_definition_id).toBe(id);
    await begin(runId);
    expect((await stepsOf(runId)).at(-1)).toMatchObject({ step_id: 'transform', input_data: { rows: 3 } });
    await api.settle(runId);
    expect((await stepsOf(runId)).at(-1)).toMatchObject({ step_id: 'load', agent_name: 'loader' });
  });

  it('that has not as it was what the run has done is 409, with the steps', async () => {
    const { name, execute } = await newWorkflow();
    const runId = await execute();
    await api.pickUp(runId);
    await api.settle(runId);
    await api.settle(runId, true);
    const steps = { extract: { type: 'pass', next_step: 'shape' }, shape: { type: 'pass' } };
    await post('/api/v1/workflows', { ...dataPipeline, name, steps });
    const refused = await retry(runId, { version: 2 });
    expect(codeOf(refused)).toEqual([409, 'CONFLICT']);
    expect(refused.body.details).toEqual({
      reason: 'INCOMPATIBLE_VERSION',
      step_ids: expect.arrayContaining(['extract', 'transform']),
    });
    expect(refused.body.message).toContain('extract');
    expect(await runOf(runId)).toMatchObject({ status: 'FAILED', version: 1 });
  });

  it('that the workflow has not is 400, with the latest', async () => {
    const runId = await completed();
    const refused = await retry(runId, { from_step: 'extract', version: 2 });
    expect(codeOf(refused)).toEqual([400, 'BAD_REQUEST']);
    expect(refused.body.details).toMatchObject([
      { path: 'version', message: expect.stringContaining('the latest is 1') },
    ]);
  });
});

it('a completed run is not retried without a step', async () => {
  const refused = await retry(await completed(), {});
  expect(codeOf(refused)).toEqual([409, 'CONFLICT']);
  expect(refused.body.details).toEqual({ reason: 'RUN_COMPLETED' });
  expect(refused.body.message).toContain('from_step');
});

it.each([
  [{ from_step: '' }, ['from_step']],
  [{ from_step: 7, version: 'newest' }, ['from_step', 'version']],
  [{ version: 0 }, ['version']],
  [{ version: 1.5 }, ['version']],
  [{ from_scope: 'each#1/0' }, ['from_step']],
  [{ fromStep: 'extract' }, ['fromStep']],
  [[], ['']],
])('refuses %j by the names of the fields', async (body, paths) => {
  const runId = await completed();
  const answer = await retry(runId, body);
  expect(codeOf(answer)).toEqual([400, 'BAD_REQUEST']);
  expect(answer.body.details.map(({ path }: { path: string }) => path).sort()).toEqual(paths);
  expect((await runOf(runId)).status).toBe('COMPLETED');
});

it('refuses an input that is too large', async () => {
  const answer = await retry(await completed(), {
    from_step: 'extract',
    input_data: 'x'.repeat(limits.maxPayloadBytes),
  });
  expect(codeOf(answer)).toEqual([413, 'PAYLOAD_TOO_LARGE']);
  expect(answer.body.details).toMatchObject([{ path: 'input_data' }]);
});
