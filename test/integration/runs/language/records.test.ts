import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest';
import { createTokens } from '../../../../shared/agents/tokens.ts';
import type { TopicName } from '../../../../shared/config/topics.ts';
import type { DeadLetter } from '../../../../shared/messages/messages.ts';
import { eventually } from '../../../support/eventually.ts';
import {
  FAN_OUT_ATTEMPTS,
  FAN_OUT_CHILD,
  fanOut,
  fanOutInput,
  fanOutOutput,
} from '../../../support/fan-out.ts';
import {
  attemptsOf,
  expectNothingLeft,
  type LanguageStack,
  startLanguageStack,
} from '../../../support/language-stack.ts';
import type { TopicReader } from '../../../support/topic-reader.ts';

/* Records come late, early and more than once: what they are about is done once. */

const TOPICS = ['executionRequests', 'stepRequests', 'results'] as const satisfies TopicName[];
let stack: LanguageStack;
let readers: { readonly topic: TopicName; readonly reader: TopicReader<object> }[];
let deadLetters: TopicReader<DeadLetter>;
beforeAll(async () => {
  stack = await startLanguageStack({
    databaseUrl: inject('databaseUrl'),
    kafkaBrokers: inject('kafkaBrokers'),
  });
  deadLetters = await stack.readTopic<DeadLetter>('deadLetter');
  readers = await Promise.all(
    TOPICS.map(async (topic) => ({ topic, reader: await stack.readTopic<object>(topic) })),
  );
  await stack.addAgent('echo');
  await stack.client.createWorkflow(FAN_OUT_CHILD);
});
afterEach(async () => {
  await expectNothingLeft(stack);
  expect(deadLetters.records).toEqual([]);
});
afterAll(() => stack?.close());

async function letEverythingPass(): Promise<void> {
  const steps = { a: { agent_name: 'echo', next_step: 'b' }, b: { type: 'wait', seconds: 0 } };
  const run = await stack.run(`passing-${crypto.randomUUID()}`, { start_step: 'a', steps });
  expect(run.status).toBe('COMPLETED');
}

test('every record again, at once and after the run’s end', async () => {
  const repeated = new Set<string>();
  const repeat = async () => {
    for (const { topic, reader } of readers)
      for (const { key, value } of [...reader.records]) {
        const text = JSON.stringify(value);
        if (repeated.has(text)) continue;
        repeated.add(text);
        await stack.produce(topic, key ?? '', text);
      }
  };
  const runId = await stack.start('twice', fanOut('echo'), fanOutInput('twice'));
  const isEnded = async () => (await stack.client.findRun(runId)).status === 'COMPLETED';
  for (const giveUpAt = Date.now() + 60_000; !(await isEnded()) && Date.now() < giveUpAt; await sleep(5))
    await repeat();
  const run = await stack.client.ended(runId);
  expect(run).toMatchObject({ status: 'COMPLETED', output_data: fanOutOutput('twice') });
  await repeat();
  repeated.clear();
  await repeat();
  await letEverythingPass();
  expect((await attemptsOf(stack, runId)).toSorted()).toEqual(FAN_OUT_ATTEMPTS);
  expect(await stack.client.findRun(runId)).toEqual(run);
  const calls = stack.agents.calls.filter(({ body }) => body.run_id === runId);
  expect(new Set(calls.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(4);
});

test('an answer to an attempt that has not begun, and a request that comes after it has', async () => {
  stack.hold('stepRequests', true);
  const runId = await stack.start('early', fanOut('echo'), fanOutInput('early'));
  await eventually(
    'the branches to be asked for',
    () => attemptsOf(stack, runId),
    (seen) => seen.includes('both#1/one/ask PENDING'),
  );
  const { id } = await stack.database.one<{ id: string }>(
    "select step_execution_id as id from step_executions where run_id = $1 and step_id = 'ask'",
    [runId],
  );
  await stack.produce('results', runId, {
    message_type: 'agent_result',
    run_id: runId,
    step_execution_id: id,
    attempt: 1,
    status: 'completed',
    output_data: { said: 'too early' },
    result_token: createTokens(stack.environment.secretKey).resultToken(id),
  });
  await sleep(200);
  expect(await attemptsOf(stack, runId)).toContain('both#1/one/ask PENDING');
  stack.hold('stepRequests', false);
  expect(await stack.client.ended(runId)).toMatchObject({
    status: 'COMPLETED',
    output_data: fanOutOutput('early'),
  });
  expect((await attemptsOf(stack, runId)).toSorted()).toEqual(FAN_OUT_ATTEMPTS);
});

test('a wake, or a request, of what is not due', async () => {
  const runId = await stack.start('not-due', {
    start_step: 'both',
    steps: {
      both: {
        type: 'parallel',
        timeout_seconds: 3_600,
        branches: {
          wait: { start_step: 'w', steps: { w: { type: 'wait', seconds: 4 } } },
          signal: {
            start_step: 's',
            steps: { s: { type: 'signal', signal: 'word', timeout_seconds: 3_600 } },
          },
        },
      },
    },
  });
  await eventually(
    'both to wait',
    () => attemptsOf(stack, runId),
    (seen) => seen.filter((attempt) => attempt.endsWith(' RUNNING')).length === 3,
  );
  const before = await attemptsOf(stack, runId);
  const ids = await stack.database.many<{ id: string }>(
    'select step_execution_id as id from step_executions where run_id = $1',
    [runId],
  );
  const now = new Date().toISOString();
  for (const step_execution_id of [...ids.map(({ id }) => id), null])
    await stack.produce('stepRequests', runId, {
      message_type: 'wake',
      run_id: runId,
      step_execution_id,
      timestamp: now,
    });
  for (const { id } of ids)
    await stack.produce('stepRequests', runId, {
      message_type: 'step_request',
      run_id: runId,
      step_execution_id: id,
      timestamp: now,
    });
  await sleep(200);
  expect(await attemptsOf(stack, runId)).toEqual(before);
  await stack.signal(runId, 'word', 'yes');
  expect(await stack.client.ended(runId)).toMatchObject({
    status: 'COMPLETED',
    output_data: { wait: null, signal: 'yes' },
  });
});
