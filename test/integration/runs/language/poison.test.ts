import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest';
import { defaultBatchSizes } from '../../../../shared/config/event-sources.ts';
import { eventually } from '../../../support/eventually.ts';
import {
  attemptsOf,
  expectNothingLeft,
  type LanguageStack,
  startLanguageStack,
} from '../../../support/language-stack.ts';

/* One record that cannot be saved, among others of the same partitions and batches: its run ends, and theirs go on. */

let stack: LanguageStack;
beforeAll(async () => {
  stack = await startLanguageStack({
    databaseUrl: inject('databaseUrl'),
    kafkaBrokers: inject('kafkaBrokers'),
    batchSizes: { ...defaultBatchSizes, stepBatchSize: 50 },
  });
  await stack.addAgent('echo');
  await stack.addAgent('callback', () => ({ status: 202 }));
});
afterEach(() => expectNothingLeft(stack));
afterAll(() => stack?.close());

const echo = (next_step: string | null = null) => ({ agent_name: 'echo', next_step });

/** So many runs of three steps, executed at once. */
async function strangers(name: string, count: number): Promise<() => Promise<string[]>> {
  const id = await stack.client.createWorkflow({
    name,
    start_step: 'a',
    steps: { a: echo('b'), b: echo('c'), c: echo() },
  });
  const runIds = await Promise.all(Array.from({ length: count }, () => stack.client.execute(id)));
  return () => Promise.all(runIds.map(async (runId) => (await stack.client.ended(runId)).status));
}

test('a run goes on with a version that has its steps in another order, and visits one of them again', async () => {
  const first = {
    name: 'reordered',
    start_step: 'a',
    steps: { a: echo('b'), b: echo('c'), c: { agent_name: 'callback' } },
  };
  const id = await stack.client.createWorkflow(first);
  const runId = await stack.client.execute(id);
  await eventually(
    'the call of c',
    async () => stack.agents.calls.map(({ body }) => body.step_id),
    (steps) => steps.includes('c'),
  );
  expect(await stack.cancel(runId)).toBe('200 CANCELLED');
  const steps = { a: echo('c'), c: echo('b'), b: echo() };
  await stack.client.createWorkflow({ ...first, steps });
  // What comes of all of them lies in one partition or two, and comes in one batch.
  stack.hold('results', true);
  const others = await strangers('strangers-of-reordered', 12);
  expect(await stack.retry(runId, { version: 2 })).toBe('202 RUNNING');
  stack.hold('results', false);
  expect((await stack.client.ended(runId)).status).toBe('COMPLETED');
  expect(await others()).toEqual(Array.from({ length: 12 }, () => 'COMPLETED'));
  const visits = await stack.database.many<{ told: string }>(
    `select step_id || '#' || visit || '.' || attempt || ' ' || status as told from step_executions
      where run_id = $1 order by created_at, id`,
    [runId],
  );
  expect(visits.map(({ told }) => told)).toEqual([
    'a#1.1 COMPLETED',
    'b#1.1 COMPLETED',
    'c#1.1 CANCELLED',
    'c#1.2 COMPLETED',
    'b#2.1 COMPLETED',
  ]);
});

test('a step that no table takes ends its run, and the others of its batches complete', async () => {
  await stack.database.execute(
    `alter table step_executions add constraint no_poison check (step_id <> 'poison' or status <> 'COMPLETED')`,
  );
  stack.hold('results', true);
  const others = await strangers('strangers-of-poison', 12);
  const runId = await stack.start('poisoned', {
    start_step: 'a',
    steps: { a: echo('poison'), poison: echo('c'), c: echo() },
  });
  stack.hold('results', false);
  const { status, error_code, error_message } = await stack.client.ended(runId);
  expect([status, error_code]).toEqual(['FAILED', 'INTERNAL_ERROR']);
  expect(error_message).not.toContain('no_poison');
  expect(await others()).toEqual(Array.from({ length: 12 }, () => 'COMPLETED'));
  expect(await attemptsOf(stack, runId)).toEqual(['a COMPLETED', 'poison CANCELLED']);
});

const cut = `${'a'.repeat(198)}😀`;

test.each([
  ['seconds', { type: 'wait', seconds: '$.workflow_input.s' }, 'EXPRESSION_ERROR'],
  ['until', { type: 'wait', until: '$.workflow_input.s' }, 'EXPRESSION_ERROR'],
  ['error_code', { type: 'fail', error_code: '$.workflow_input.code' }, 'x'.repeat(254)],
  ['error_message', { type: 'fail', error_code: 'MINE', error_message: '$.workflow_input.s' }, 'MINE'],
])('a text that is cut inside a character, of %s, at the top and in a branch', async (field, step, code) => {
  const input = { s: cut, code: `${'x'.repeat(254)}😀` };
  const start_step = 'a';
  const steps = { a: { type: 'pass', next_step: 's' }, s: step };
  const top = await stack.run(`cut-${field}`, { start_step, steps }, input);
  expect(top).toMatchObject({ status: 'FAILED', error_code: code });
  const both = { type: 'parallel', branches: { one: { start_step, steps } } };
  const inside = await stack.run(`cut-${field}-inside`, { start_step: 'both', steps: { both } }, input);
  expect(inside).toMatchObject({ status: 'FAILED', error_code: code });
});
