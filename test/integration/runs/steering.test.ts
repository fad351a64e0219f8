import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { isJsonObject } from '../../../shared/engine/json.ts';
import { type RunStack, startRunStack } from '../../support/run-stack.ts';

/* Runs with branches, items and loops, steered from outside while the real functions carry them. */

let stack: RunStack;
/** What the agent `flaky` fails at. */
const broken = new Set<unknown>();
beforeAll(async () => {
  stack = await startRunStack({ databaseUrl: inject('databaseUrl'), kafkaBrokers: inject('kafkaBrokers') });
  await stack.addAgent('echo');
  await stack.addAgent('flaky', ({ body }) => {
    const input = isJsonObject(body.input_data) ? body.input_data : {};
    return broken.has(input.row) ? { status: 400, body: { code: 'BROKEN' } } : { status: 200, body: input };
  });
  await stack.addAgent('slow', () => ({ status: 202 }));
});
afterAll(() => stack?.close());

let names = 0;
const create = (start_step: string, steps: object) =>
  stack.client.createWorkflow({ name: `steered-${names++}`, start_step, steps });

interface Answer<Data> {
  readonly data: Data;
}
async function ask<Data>(method: string, path: string, body?: unknown): Promise<Data> {
  const answer = await stack.client.send<Answer<Data>>(method, path, body === undefined ? {} : { body });
  expect([answer.status < 300, JSON.stringify(answer.body)]).toEqual([true, JSON.stringify(answer.body)]);
  return answer.body.data;
}

interface PlacedStep {
  readonly step_id: string;
  readonly step_type: string;
  readonly scope: string;
  readonly branch: { readonly step_id: string; readonly name: string } | null;
  readonly item: { readonly step_id: string; readonly index: number } | null;
  readonly status: string;
  readonly attempt: number;
  readonly visit: number;
  readonly signal_name: string | null;
  readonly child_run_id: string | null;
}
const stepsOf = (runId: string) => ask<PlacedStep[]>('GET', `/api/v1/runs/${runId}/steps`);

const rows = { agent_name: 'flaky', input_mapping: { row: '$.item', place: '$.index' } };
const each = { type: 'map', items: '$.workflow_input.rows', start_step: 'work', steps: { work: rows } };

describe('what a run does in branches and items', () => {
  it('is shown with its place on every face', async () => {
    const id = await create('both', {
      both: {
        type: 'parallel',
        next_step: 'approved',
        branches: {
          left: { start_step: 'each', steps: { each } },
          right: { start_step: 'other', steps: { other: { agent_name: 'echo', step_type: 'ai' } } },
        },
      },
      approved: { type: 'signal', signal: 'approved', next_step: 'never' },
      never: {
        type: 'choice',
        choices: [{ variable: '$.approved.output_data', is_null: true, next_step: 'skipped' }],
        default_next_step: 'end',
      },
      skipped: { agent_name: 'echo' },
      end: { type: 'succeed', result: '$.both.output_data' },
    });
    const runId = await stack.client.execute(id, { rows: ['x', 'y'] });
    await ask('POST', `/api/v1/runs/${runId}/signals/approved`, { payload: 'yes' });
    const run = await stack.client.ended(runId);
    expect(run).toMatchObject({
      status: 'COMPLETED',
      output_data: {
        left: [
          { row: 'x', place: 0 },
          { row: 'y', place: 1 },
        ],
        right: {},
      },
    });

    const steps = await stepsOf(runId);
    const placed = new Map(steps.map((step) => [`${step.scope} ${step.step_id}`, step]));
    expect(placed.get(' both')).toMatchObject({ step_type: 'parallel', branch: null, item: null });
    expect(placed.get('both#1/right other')).toMatchObject({
      step_type: 'ai',
      branch: { step_id: 'both', name: 'right' },
      item: null,
    });
    expect(placed.get('both#1/left/each#1/1 work')).toMatchObject({
      branch: null,
      item: { step_id: 'each', index: 1 },
    });
    expect(placed.get(' approved')).toMatchObject({ step_type: 'signal', signal_name: null });

    const executionId = runId.slice('run-'.length);
    const execution = await ask<{
      execution_path: string[];
      node_states: Record<string, { status: string; metadata: unknown }>;
      metrics: object;
    }>('GET', `/api/v1/workflows/executions/${executionId}?include_metrics=true`);
    expect([...execution.execution_path].sort()).toEqual(
      [
        'approved',
        'both',
        'both[left].each',
        'both[left].each[0].work',
        'both[left].each[1].work',
        'both[right].other',
        'end',
        'never',
      ].sort(),
    );
    expect(execution.execution_path[0]).toBe('both');
    expect(execution.execution_path.at(-1)).toBe('end');
    expect(Object.keys(execution.node_states).sort()).toEqual(
      [...execution.execution_path, 'skipped'].sort(),
    );
    expect(execution.node_states.skipped?.status).toBe('skipped');
    expect(execution.metrics).toMatchObject({ node_count: 8, nodes_executed: 8, nodes_skipped: 1 });

    const compared = await ask<{ path: { same: boolean }; nodes: { key: string; same_output: boolean }[] }>(
      'GET',
      `/api/v1/workflows/executions/compare?left=${executionId}&right=${executionId}`,
    );
    expect(compared.path.same).toBe(true);
    expect(compared.nodes.map(({ key }) => key).sort()).toEqual([...execution.execution_path].sort());

    const logs = await stack.client.send<{ step_name: string; step_type: string }[]>(
      'GET',
      `/api/workflows/executions/${executionId}/logs?step_name=work`,
    );
    expect(logs.body.map(({ step_name }) => step_name).sort()).toEqual([
      'both[left].each[0].work',
      'both[left].each[1].work',
    ]);
  });

  it('is retried from the one item that failed, or from any', async () => {
    const id = await create('each', { each });
    broken.add('bad');
    const runId = await stack.client.execute(id, { rows: ['good', 'bad'] });
    expect(await stack.client.ended(runId)).toMatchObject({
      status: 'FAILED',
      error_code: 'BROKEN',
      error_step_id: 'each',
    });
    broken.delete('bad');
    await ask('POST', `/api/v1/runs/${runId}/retry`);
    const output_data = [
      { row: 'good', place: 0 },
      { row: 'bad', place: 1 },
    ];
    expect(await stack.client.ended(runId)).toMatchObject({ status: 'COMPLETED', output_data });
    const works = (steps: readonly PlacedStep[]) =>
      steps.filter(({ step_id }) => step_id === 'work').map(({ item }) => item?.index);
    expect(works(await stepsOf(runId)).sort()).toEqual([0, 1, 1]);

    // As `/steps` shows where.
    const from_scope = (await stepsOf(runId)).find(({ item }) => item?.index === 0)?.scope;
    await ask('POST', `/api/v1/runs/${runId}/retry`, {
      from_step: 'work',
      from_scope,
      input_data: { row: 'edited', place: 0 },
    });
    expect(await stack.client.ended(runId)).toMatchObject({
      status: 'COMPLETED',
      output_data: [{ row: 'edited', place: 0 }, output_data[1]],
    });
    expect(works(await stepsOf(runId)).sort()).toEqual([0, 0, 1, 1]);
  });

  it('is seen in a child run too, which knows the run that started it', async () => {
    const child = `steered-${names}`;
    await create('work', { work: { agent_name: 'echo', input_mapping: { a: '$.workflow_input.a' } } });
    const id = await create('start', {
      start: { type: 'workflow', workflow_name: child, input_mapping: { a: '$.workflow_input.a' } },
    });
    const runId = await stack.client.execute(id, { a: 7 });
    expect(await stack.client.ended(runId)).toMatchObject({ status: 'COMPLETED', output_data: { a: 7 } });
    const [step] = await stepsOf(runId);
    expect(step?.child_run_id).toEqual(expect.stringMatching(/^run-/));
    const started = await ask('GET', `/api/v1/runs/${step?.child_run_id}`);
    expect(started).toMatchObject({ status: 'COMPLETED', parent_run_id: runId });
  });
});

describe('a paused run', () => {
  it('starts nothing until it is resumed, whatever comes meanwhile', async () => {
    const id = await create('first', {
      first: { agent_name: 'slow', next_step: 'second' },
      second: { agent_name: 'echo', input_mapping: { rows: '$.first.output_data.rows' } },
    });
    const runId = await stack.client.execute(id);
    await stack.client.stepsWhen(runId, ([step]) => step?.status === 'RUNNING');
    const calls = () => stack.agents.callsOf('slow').filter(({ body }) => body.run_id === runId);
    await expect.poll(() => calls().length).toBe(1);
    expect(await ask('POST', `/api/v1/runs/${runId}/pause`)).toMatchObject({ status: 'PAUSED' });
    const { callback_url } = calls()[0]!.body;
    const headers = { 'Content-Type': 'application/json' };
    const answered = await fetch(callback_url, { method: 'POST', headers, body: '{"rows":3}' });
    expect(answered.status).toBe(200);
    const steps = await stepsOf(runId);
    expect(steps.map(({ step_id, status }) => [step_id, status])).toEqual([
      ['first', 'COMPLETED'],
      ['second', 'PENDING'],
    ]);
    expect(await ask('GET', `/api/v1/runs/${runId}`)).toMatchObject({ status: 'PAUSED' });
    await ask('POST', `/api/v1/runs/${runId}/resume`);
    expect(await stack.client.ended(runId)).toMatchObject({ status: 'COMPLETED', output_data: { rows: 3 } });
  });

  it('begins paused where its workflow is', async () => {
    const id = await create('only', { only: { agent_name: 'echo' } });
    await ask('POST', `/api/v1/workflows/${id}/pause`);
    const runId = await stack.client.execute(id);
    expect(await ask('GET', `/api/v1/runs/${runId}`)).toMatchObject({ status: 'PAUSED' });
    expect(await ask('POST', `/api/v1/workflows/${id}/resume`)).toMatchObject({ runs: 1 });
    expect(await stack.client.ended(runId)).toMatchObject({ status: 'COMPLETED' });
  });
});

it('a heartbeat keeps an accepted attempt open, and its absence ends it', async () => {
  const id = await create('only', { only: { agent_name: 'slow', heartbeat_seconds: 2, retry: [] } });
  const runId = await stack.client.execute(id);
  const call = () => stack.agents.callsOf('slow').find(({ body }) => body.run_id === runId);
  await expect.poll(() => call() !== undefined).toBe(true);
  const { callback_url } = call()!.body;
  const beat = () => fetch(`${callback_url}/heartbeat`, { method: 'POST' });
  for (let beats = 0; beats < 10; beats++) {
    await new Promise((resolve) => setTimeout(resolve, 250));
    expect((await beat()).status).toBe(200);
  }
  expect(await stack.client.ended(runId)).toMatchObject({
    status: 'FAILED',
    error_code: 'HEARTBEAT_TIMEOUT',
    error_step_id: 'only',
    error_attempt: 1,
  });
  const late = await beat();
  expect([late.status, ((await late.json()) as { details: object }).details]).toEqual([
    409,
    { reason: 'ATTEMPT_CLOSED', status: 'FAILED' },
  ]);
});
