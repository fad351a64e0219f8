import { Webhook } from 'standardwebhooks';
import { v7 as uuidv7 } from 'uuid';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { encryptSecret, generateSecret } from '../../../shared/agents/secrets.ts';
import type { AgentResult, AgentTask, MonitoringUpdate } from '../../../shared/messages/messages.ts';
import {
  attemptsOf,
  expectNothingLeft,
  type LanguageStack,
  startLanguageStack,
} from '../../support/language-stack.ts';
import { addQuickAgent, PATIENT } from '../../support/quick-agents.ts';
import { sequence } from '../../support/sequence.ts';
import type { TopicReader } from '../../support/topic-reader.ts';

let stack: LanguageStack;
let tasks: TopicReader<AgentTask>;
let results: TopicReader<AgentResult>;
let updates: TopicReader<MonitoringUpdate>;
beforeAll(async () => {
  stack = await startLanguageStack({
    databaseUrl: inject('databaseUrl'),
    kafkaBrokers: inject('kafkaBrokers'),
    batchSizes: { stepBatchSize: 10, bridgeBatchSize: 10 },
    variables: PATIENT,
  });
  [tasks, results, updates] = await Promise.all([
    stack.readTopic<AgentTask>('httpTasks'),
    stack.readTopic<AgentResult>('results'),
    stack.readTopic<MonitoringUpdate>('monitoringUpdates'),
  ]);
});
afterAll(() => stack?.close());

/**
 * The steps of a run whose tasks went by their topic, and those whose answers did. All have: of a run that went both ways after it the
 * record is there, and each topic is one partition.
 */
async function stepsByTopic(runId: string): Promise<{ tasks: string[]; results: string[] }> {
  const stranger = `stranger-${uuidv7()}`;
  await stack.addAgent(stranger);
  const last = await stack.run(stranger, sequence(stranger, stranger, 1));
  const steps = await stack.client.findSteps(runId);
  const stepOf = new Map(steps.map(({ step_execution_id, step_id }) => [step_execution_id, step_id]));
  const read = async (reader: TopicReader<AgentTask> | TopicReader<AgentResult>) => {
    await (reader as TopicReader<AgentTask>).when(({ value }) => value.run_id === last.runId, 1);
    return reader.records.flatMap(({ value }) => stepOf.get(value.step_execution_id) ?? []);
  };
  return { tasks: await read(tasks), results: await read(results) };
}

test('a step of an agent that answers at once makes no record of its task, and one of its answer', async () => {
  const secret = generateSecret();
  await addQuickAgent(stack, 'at-once');
  await stack.database.execute("update agents set secret_encrypted = $1 where name = 'at-once'", [
    encryptSecret(stack.environment.secretKey, secret),
  ]);
  const run = await stack.run('at-once', sequence('at-once', 'at-once', 3), { message: 'hello' });
  expect(run).toMatchObject({ status: 'COMPLETED', output_data: { message: 'hello' } });
  expect(await stepsByTopic(run.runId)).toEqual({ tasks: [], results: ['s1', 's2', 's3'] });
  const calls = stack.agents.callsOf('at-once');
  expect(calls.map(({ idempotencyKey }) => idempotencyKey.split(':').slice(0, 3).join(':'))).toEqual(
    ['s1', 's2', 's3'].map((step) => `${run.runId}:${step}:1`),
  );
  for (const { headers, body } of calls) {
    expect(body.callback_url).toContain(`${stack.url}/api/v1/callbacks/${body.step_execution_id}/`);
    const signed = () => new Webhook(secret).verify(JSON.stringify(body), headers as Record<string, string>);
    expect(signed()).toEqual(body);
  }
  await expectNothingLeft(stack);
});

test('an agent that has failed at once is tried again, at once too', async () => {
  await addQuickAgent(stack, 'fails-once', ({ count, body }) =>
    count === 1
      ? { status: 503, body: { code: 'BUSY', message: 'later' }, headers: { 'retry-after': '0' } }
      : { body: body.input_data },
  );
  const run = await stack.run('fails-once', sequence('fails-once', 'fails-once', 1));
  expect(run.status).toBe('COMPLETED');
  expect(await attemptsOf(stack, run.runId)).toEqual(['s1 FAILED BUSY', 's1 attempt 2 COMPLETED']);
  expect((await stepsByTopic(run.runId)).tasks).toEqual([]);
});

// The API, which takes the callback, calls nobody: its caller waits.
test('an agent that accepts calls back, and its task is not published', async () => {
  await addQuickAgent(stack, 'accepts', () => ({ callBack: { afterMs: 100, body: { message: 'later' } } }));
  const run = await stack.run('accepts', sequence('accepts', 'accepts', 2), { message: 'now' });
  expect(run).toMatchObject({ status: 'COMPLETED', output_data: { message: 'later' } });
  expect(await stepsByTopic(run.runId)).toEqual({ tasks: ['s2'], results: [] });
  expect(stack.agents.callsOf('accepts')).toHaveLength(2);
  await expectNothingLeft(stack);
});

test('an agent that turns slow is handed to its topic, and so is its next task', async () => {
  await addQuickAgent(stack, 'turns-slow', ({ count, body }) =>
    count === 1 && body.step_id === 's2' ? new Promise(() => {}) : { body: body.input_data },
  );
  const run = await stack.run('turns-slow', sequence('turns-slow', 'turns-slow', 3), { message: 'hello' });
  expect(run).toMatchObject({ status: 'COMPLETED', output_data: { message: 'hello' } });
  expect((await stepsByTopic(run.runId)).tasks).toEqual(['s2', 's3']);
  const calls = stack.agents.callsOf('turns-slow').filter(({ body }) => body.step_id === 's2');
  expect(calls).toHaveLength(2);
  expect(calls[1]).toMatchObject({ idempotencyKey: calls[0]!.idempotencyKey, body: calls[0]!.body });
  await expectNothingLeft(stack);
});

const whatWasSeen = (runId: string) =>
  updates.records
    .filter(({ value }) => value.run_id === runId)
    .flatMap(({ value: { transitions } }) => transitions);

test('a workflow that asks for it is carried on in one invocation, with the same rows and updates as step by step', async () => {
  await addQuickAgent(stack, 'carried');
  const definition = sequence('step-by-step', 'carried', 5);
  const stepByStep = await stack.run('step-by-step', definition, { message: 'hello' });
  const carried = await stack.run(
    'carried',
    { ...definition, ...{ steps_per_invocation: 8 } },
    { message: 'hello' },
  );
  expect(await stepsByTopic(stepByStep.runId)).toEqual({
    tasks: [],
    results: ['s1', 's2', 's3', 's4', 's5'],
  });
  expect(await stepsByTopic(carried.runId)).toEqual({ tasks: [], results: [] });

  expect(await attemptsOf(stack, carried.runId)).toEqual(await attemptsOf(stack, stepByStep.runId));
  expect(await attemptsOf(stack, carried.runId)).toHaveLength(5);
  const fields = ({ status, output_data, sequence, error_code }: typeof carried) => [
    status,
    output_data,
    sequence,
    error_code,
  ];
  expect(fields(carried)).toEqual(fields(stepByStep));
  for (const { runId, sequence } of [carried, stepByStep])
    await updates.when(({ value }) => value.run_id === runId && value.sequence === sequence, 1);
  expect(whatWasSeen(carried.runId)).toEqual(whatWasSeen(stepByStep.runId));
  await expectNothingLeft(stack);
});

test('no more steps are carried on than the workflow asks for', async () => {
  await addQuickAgent(stack, 'in-twos');
  const definition = { ...sequence('in-twos', 'in-twos', 5), ...{ steps_per_invocation: 2 } };
  const run = await stack.run('in-twos', definition);
  expect(run.status).toBe('COMPLETED');
  expect((await stepsByTopic(run.runId)).results).toEqual(['s2', 's4']);
});

test('a cancel between two steps of a run that is carried on ends it there', async () => {
  await addQuickAgent(stack, 'cancels', async ({ body }) => {
    if (body.step_id === 's2') expect(await stack.cancel(body.run_id)).toBe('200 CANCELLED');
    return { body: body.input_data };
  });
  const definition = { ...sequence('cancels', 'cancels', 4), ...{ steps_per_invocation: 8 } };
  const run = await stack.run('cancels', definition);
  expect(run.status).toBe('CANCELLED');
  expect(await attemptsOf(stack, run.runId)).toEqual(['s1 COMPLETED', 's2 CANCELLED']);
  await expectNothingLeft(stack);
  expect(stack.agents.callsOf('cancels').map(({ body }) => body.step_id)).toEqual(['s1', 's2']);
});

test('a pause between two steps of a run that is carried on holds it there until it is resumed', async () => {
  await addQuickAgent(stack, 'pauses', async ({ body }) => {
    if (body.step_id === 's2') expect(await stack.pause(body.run_id)).toBe('200 PAUSED');
    return { body: body.input_data };
  });
  const definition = { ...sequence('pauses', 'pauses', 4), ...{ steps_per_invocation: 8 } };
  const runId = await stack.start('pauses', definition);
  const calls = () => stack.agents.callsOf('pauses').map(({ body }) => body.step_id);
  await stack.client.stepsWhen(runId, (steps) => steps.some(({ step_id }) => step_id === 's3'));
  expect(await stepsByTopic(runId)).toEqual({ tasks: [], results: [] });
  expect(calls()).toEqual(['s1', 's2']);
  expect(await stack.resume(runId)).toBe('200 RUNNING');
  expect((await stack.client.ended(runId)).status).toBe('COMPLETED');
  expect(calls()).toEqual(['s1', 's2', 's3', 's4']);
  await expectNothingLeft(stack);
});
