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

/** What is held stays so while others pass. */
async function letOthersPass(seconds = 0.3): Promise<void> {
  const steps = { a: { agent_name: 'echo', next_step: 'b' }, b: { type: 'wait', seconds } };
  const run = await stack.run(`passing-${crypto.randomUUID()}`, { start_step: 'a', steps });
  expect(run.status).toBe('COMPLETED');
}

const when = (runId: string, ...attempts: string[]) =>
  eventually(
    attempts.join(', '),
    () => attemptsOf(stack, runId),
    (seen) => attempts.every((attempt) => seen.includes(attempt)),
  );

test('what comes while a run is paused is kept, and takes effect when it is resumed', async () => {
  const answer = Promise.withResolvers<void>();
  await stack.addAgent('waiting', async ({ body }) => {
    await answer.promise;
    return { body: body.input_data };
  });
  const branch = (first: string, step: object, then: string) => ({
    start_step: first,
    steps: { [first]: { ...step, next_step: then }, [then]: { type: 'pass', result: then } },
  });
  const runId = await stack.start('paused', {
    start_step: 'all',
    steps: {
      all: {
        type: 'parallel',
        branches: {
          timer: branch('timer', { type: 'wait', seconds: 2 }, 'after-timer'),
          signal: branch('signal', { type: 'signal', signal: 'word' }, 'after-signal'),
          agent: branch('agent', { agent_name: 'waiting' }, 'after-agent'),
        },
      },
    },
  });
  await when(runId, 'all#1/timer/timer RUNNING', 'all#1/signal/signal RUNNING', 'all#1/agent/agent RUNNING');
  expect(await stack.pause(runId)).toBe('200 PAUSED');
  expect(await stack.pause(runId)).toBe('200 PAUSED');
  answer.resolve();
  await stack.signal(runId, 'word', 'yes');
  // The answers settle their steps and start nothing; the timer waits.
  const held = await when(runId, 'all#1/agent/agent COMPLETED', 'all#1/signal/signal COMPLETED');
  await letOthersPass(2.3);
  expect(await attemptsOf(stack, runId)).toEqual(held);
  expect(held.toSorted()).toEqual([
    'all RUNNING',
    'all#1/agent/after-agent PENDING',
    'all#1/agent/agent COMPLETED',
    'all#1/signal/after-signal PENDING',
    'all#1/signal/signal COMPLETED',
    'all#1/timer/timer RUNNING',
  ]);
  expect(await stack.resume(runId)).toBe('200 RUNNING');
  expect(await stack.client.ended(runId)).toMatchObject({
    status: 'COMPLETED',
    output_data: { timer: 'after-timer', signal: 'after-signal', agent: 'after-agent' },
  });
  expect(await stack.resume(runId)).toBe('400 RUN_CLOSED');
});

test('a pause in the middle of a map, again and again, loses no item', async () => {
  const items = Array.from({ length: 12 }, (_, i) => i);
  const runId = await stack.start(
    'paused-map',
    {
      start_step: 'each',
      steps: {
        each: {
          type: 'map',
          items: '$.workflow_input.items',
          max_concurrency: 3,
          start_step: 'one',
          steps: {
            one: { agent_name: 'echo', input_mapping: { item: '$.item' }, next_step: 'two' },
            two: { type: 'pass', result: '$.one.output_data.item' },
          },
        },
      },
    },
    { items },
  );
  for (let pauses = 0; pauses < 4; pauses++) {
    if ((await stack.pause(runId)) !== '200 PAUSED') break;
    await sleep(60);
    await stack.resume(runId);
    await sleep(60);
  }
  expect(await stack.client.ended(runId)).toMatchObject({ status: 'COMPLETED', output_data: items });
});

test('a run that is paused before it begins begins when it is resumed', async () => {
  stack.hold('executionRequests', true);
  const runId = await stack.start('paused-early', { start_step: 'a', steps: { a: { agent_name: 'echo' } } });
  expect(await stack.pause(runId)).toBe('200 PAUSED');
  stack.hold('executionRequests', false);
  await letOthersPass();
  expect(await attemptsOf(stack, runId)).toEqual([]);
  expect(await stack.resume(runId)).toBe('200 PENDING');
  expect((await stack.client.ended(runId)).status).toBe('COMPLETED');
});

test('a paused run can be cancelled', async () => {
  const runId = await stack.start('paused-cancelled', {
    start_step: 'a',
    steps: { a: { type: 'wait', seconds: 3_600 } },
  });
  await when(runId, 'a RUNNING');
  await stack.pause(runId);
  expect(await stack.cancel(runId)).toBe('200 CANCELLED');
  expect(await attemptsOf(stack, runId)).toEqual(['a CANCELLED']);
});

test('a run’s time limit that passes while it is paused fails it when it is resumed', async () => {
  const runId = await stack.start('paused-too-long', {
    timeout_seconds: 2,
    start_step: 'a',
    steps: { a: { type: 'signal', signal: 'never' } },
  });
  await when(runId, 'a RUNNING');
  await stack.pause(runId);
  await sleep(2_200);
  expect(await attemptsOf(stack, runId)).toEqual(['a RUNNING']);
  await stack.resume(runId);
  expect(await stack.client.ended(runId)).toMatchObject({ status: 'FAILED', error_code: 'TIMEOUT' });
});

test('a child goes on while its parent is paused, and its end is kept for that', async () => {
  await stack.client.createWorkflow({
    name: 'asking-child',
    start_step: 'c',
    steps: { c: { type: 'signal', signal: 'word' } },
  });
  const runId = await stack.start('paused-parent', {
    start_step: 'call',
    steps: {
      call: { type: 'workflow', workflow_name: 'asking-child', next_step: 'after' },
      after: { type: 'pass', result: '$.call.output_data' },
    },
  });
  const [child] = await eventually(
    'the child',
    () =>
      stack.database.many<{ run_id: string }>('select run_id from workflow_runs where parent_run_id = $1', [
        runId,
      ]),
    ({ length }) => length === 1,
  );
  expect(await stack.pause(runId)).toBe('200 PAUSED');
  await stack.signal(child?.run_id ?? '', 'word', 'yes');
  expect(await stack.client.ended(child?.run_id ?? '')).toMatchObject({ status: 'COMPLETED' });
  await when(runId, 'call COMPLETED', 'after PENDING');
  expect(await stack.resume(runId)).toBe('200 RUNNING');
  expect(await stack.client.ended(runId)).toMatchObject({ status: 'COMPLETED', output_data: 'yes' });
});
