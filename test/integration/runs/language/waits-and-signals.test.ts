import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest';
import { eventually } from '../../../support/eventually.ts';
import {
  attemptsOf,
  expectNothingLeft,
  type LanguageStack,
  startLanguageStack,
} from '../../../support/language-stack.ts';

let stack: LanguageStack;
beforeAll(async () => {
  stack = await startLanguageStack({
    databaseUrl: inject('databaseUrl'),
    kafkaBrokers: inject('kafkaBrokers'),
  });
  await stack.addAgent('echo');
});
afterEach(() => expectNothingLeft(stack));
afterAll(() => stack?.close());

const oneStep = (step: object) => ({ start_step: 'a', steps: { a: step } });

/** Milliseconds from the start of a step to its end. */
async function tookMs(runId: string, stepId: string): Promise<number> {
  const { ms } = await stack.database.one<{ ms: string }>(
    `select extract(epoch from completed_at - started_at) * 1000 as ms
       from step_executions where run_id = $1 and step_id = $2`,
    [runId, stepId],
  );
  return Number(ms);
}

test.each([
  ['seconds', { seconds: 1 }, 1_000],
  ['seconds by a path', { seconds: '$.workflow_input.seconds' }, 500],
  ['a timestamp by a path, with an offset', { until: '$.workflow_input.until' }, 0],
  ['no time at all', { seconds: 0 }, 0],
])('waits for %s, and hardly longer', async (what, waiting, atLeastMs) => {
  const { runId, ...run } = await stack.run(
    `wait-${what.replaceAll(/\W+/g, '-')}`,
    oneStep({ type: 'wait', ...waiting, output_mapping: 'went by' }),
    { seconds: 0.5, until: '2020-01-31T09:00:00.5+02:00' },
  );
  expect(run).toMatchObject({ status: 'COMPLETED', output_data: 'went by' });
  const took = await tookMs(runId, 'a');
  expect(took).toBeGreaterThanOrEqual(atLeastMs);
  // A wake that was lost would come after a minute.
  expect(took).toBeLessThan(atLeastMs + 20_000);
});

test('waits until a timestamp', async () => {
  const until = new Date(Date.now() + 2_000).toISOString();
  const run = await stack.run('wait-until', oneStep({ type: 'wait', until }));
  expect(run.status).toBe('COMPLETED');
  expect(Date.parse(run.completed_at ?? '')).toBeGreaterThanOrEqual(Date.parse(until));
});

test.each([
  ['a negative number', { seconds: '$.workflow_input.bad' }, -1],
  ['more than a year', { seconds: '$.workflow_input.bad' }, 40_000_000],
  ['text that is no timestamp', { until: '$.workflow_input.bad' }, 'tomorrow'],
  ['nothing', { until: '$.workflow_input.bad' }, undefined],
])('a path to %s is an error that can be caught', async (what, waiting, bad) => {
  const run = await stack.run(
    `bad-wait-${what.replaceAll(' ', '-')}`,
    {
      start_step: 'a',
      steps: {
        a: { type: 'wait', ...waiting, catch: [{ next_step: 'caught' }] },
        caught: { type: 'pass', result: '$.error.code' },
      },
    },
    { bad },
  );
  expect(run).toMatchObject({ status: 'COMPLETED', output_data: 'EXPRESSION_ERROR' });
});

test('a time that comes while no function runs is taken up when they do', async () => {
  const runId = await stack.start('across-a-restart', oneStep({ type: 'wait', seconds: 3 }));
  await stack.client.stepsWhen(runId, ([step]) => step?.status === 'RUNNING');
  await stack.stopConsumers();
  await sleep(3_200);
  await stack.startConsumers();
  expect((await stack.client.ended(runId)).status).toBe('COMPLETED');
});

const approval = oneStep({ type: 'signal', signal: 'approved', output_mapping: { by: '$.output.by' } });
const waitingFor = (runId: string) => stack.client.stepsWhen(runId, ([step]) => step?.status === 'RUNNING');

test('a signal’s payload is the step’s output; a repeat, and one that comes later, change nothing', async () => {
  const runId = await stack.start('signalled', approval);
  await waitingFor(runId);
  expect(await stack.signal(runId, 'other', {}, 'id-0')).toBe('202');
  expect(await stack.signal(runId, 'approved', { by: 'ann' }, 'id-1')).toBe('202');
  expect(await stack.client.ended(runId)).toMatchObject({ status: 'COMPLETED', output_data: { by: 'ann' } });
  expect(await stack.signal(runId, 'approved', { by: 'eve' }, 'id-1')).toBe('202');
  expect(await stack.signal(runId, 'approved', { by: 'eve' }, 'id-2')).toBe('400 RUN_CLOSED');
  expect((await stack.client.findRun(runId)).output_data).toEqual({ by: 'ann' });
});

test('signals that come early are kept, each for one step, in their order; the same id counts once', async () => {
  const two = {
    start_step: 'first',
    steps: {
      first: { type: 'wait', seconds: 0.5, next_step: 'a' },
      a: { type: 'signal', signal: 'word', next_step: 'b' },
      b: { type: 'signal', signal: 'word', next_step: 'both' },
      both: { type: 'pass', result: ['$.a.output_data', '$.b.output_data'] },
    },
  };
  const runId = await stack.start('early', two);
  for (const [payload, id] of [
    ['one', 'id-1'],
    ['again', 'id-1'],
    ['two', 'id-2'],
  ] as const)
    expect(await stack.signal(runId, 'word', payload, id)).toBe('202');
  expect(await stack.client.ended(runId)).toMatchObject({ status: 'COMPLETED', output_data: ['one', 'two'] });
});

test('a signal to a run that has not begun is kept too', async () => {
  stack.hold('executionRequests', true);
  const runId = await stack.start('before-the-start', approval);
  expect(await stack.signal(runId, 'approved', { by: 'ann' })).toBe('202');
  stack.hold('executionRequests', false);
  expect(await stack.client.ended(runId)).toMatchObject({ status: 'COMPLETED', output_data: { by: 'ann' } });
});

test('no signal in time is TIMEOUT, which can be caught; it is too late for it then', async () => {
  const runId = await stack.start('too-late', {
    start_step: 'a',
    steps: {
      a: {
        type: 'signal',
        signal: 'approved',
        timeout_seconds: 0.3,
        catch: [{ codes: ['TIMEOUT'], next_step: 'other' }],
      },
      other: { type: 'signal', signal: 'approved' },
    },
  });
  await eventually(
    'the time limit',
    () => attemptsOf(stack, runId),
    (seen) => seen[1] === 'other RUNNING',
  );
  expect((await attemptsOf(stack, runId))[0]).toBe('a FAILED TIMEOUT');
  await stack.signal(runId, 'approved', 'at last');
  expect(await stack.client.ended(runId)).toMatchObject({ status: 'COMPLETED', output_data: 'at last' });
});

test('of branches that wait for the same signal, each takes one, and the one that waits longest the first', async () => {
  const branch = (name: string, before: number) => ({
    start_step: `${name}-first`,
    steps: {
      [`${name}-first`]: { type: 'wait', seconds: before, next_step: name },
      [name]: { type: 'signal', signal: 'word' },
    },
  });
  const runId = await stack.start('branches', {
    start_step: 'both',
    steps: { both: { type: 'parallel', branches: { a: branch('a', 0.5), b: branch('b', 0) } } },
  });
  await eventually(
    'both to wait',
    () => attemptsOf(stack, runId),
    (seen) => seen.includes('both#1/a/a RUNNING') && seen.includes('both#1/b/b RUNNING'),
  );
  await stack.signal(runId, 'word', 1);
  await stack.signal(runId, 'word', 2);
  expect(await stack.client.ended(runId)).toMatchObject({ status: 'COMPLETED', output_data: { a: 2, b: 1 } });
});

test('signals that come at once are each taken once', async () => {
  const items = Array.from({ length: 8 }, (_, i) => i);
  const runId = await stack.start(
    'at-once',
    oneStep({
      type: 'map',
      items: '$.workflow_input.items',
      start_step: 'take',
      steps: { take: { type: 'signal', signal: 'word' } },
    }),
    { items },
  );
  await Promise.all(items.map((i) => stack.signal(runId, 'word', i, `id-${i}`)));
  const run = await stack.client.ended(runId);
  expect(run.status).toBe('COMPLETED');
  expect((run.output_data as number[]).toSorted((a, b) => a - b)).toEqual(items);
});
