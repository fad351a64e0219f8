import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { AgentTask, DeadLetter, MonitoringUpdate } from '../../../shared/messages/messages.ts';
import { readDeadLetterCounts } from '../../../shared/persistence/dead-letter-counts.ts';
import { TASKS_BY_TOPIC } from '../../support/quick-agents.ts';
import { type RunStack, startRunStack } from '../../support/run-stack.ts';
import { sequence } from '../../support/sequence.ts';
import type { ReadRecord, TopicReader } from '../../support/topic-reader.ts';

let stack: RunStack;
let updates: TopicReader<MonitoringUpdate>;
let deadLetters: TopicReader<DeadLetter>;
let workflowId: string;
beforeAll(async () => {
  stack = await startRunStack({
    databaseUrl: inject('databaseUrl'),
    kafkaBrokers: inject('kafkaBrokers'),
    variables: TASKS_BY_TOPIC,
  });
  [updates, deadLetters] = await Promise.all([
    stack.readTopic<MonitoringUpdate>('monitoringUpdates'),
    stack.readTopic<DeadLetter>('deadLetter'),
  ]);
  await stack.addAgent('worker');
  workflowId = await stack.client.createWorkflow(sequence('records', 'worker', 2));
});
afterAll(() => stack?.close());

describe('monitoring updates', () => {
  const ofRun = (runId: string) =>
    updates.records.filter(({ value }) => value.run_id === runId).map(({ value }) => value);
  const words = ({ transitions }: MonitoringUpdate) =>
    transitions.map(({ sequence, status, step_id, step_status, attempt }) =>
      [sequence, status, step_id, step_status, attempt].filter((word) => word !== null).join(' '),
    );

  test('tell every transition of a run, in order, numbered without a gap, by one record a decision', async () => {
    const retry = { max_attempts: 2, initial_interval_ms: 10, jitter: 'none' };
    await stack.addAgent('once-broken', ({ body, count }) =>
      body.step_id === 's2' && count === 1
        ? { status: 503, body: { code: 'BUSY', message: 'Not now' } }
        : { body: body.input_data },
    );
    const id = await stack.client.createWorkflow(sequence('monitored', 'once-broken', 2, { retry }));
    const runId = await stack.client.execute(id);
    await stack.client.ended(runId);
    await updates.when(({ value }) => value.run_id === runId && value.status === 'COMPLETED', 1);
    const told = ofRun(runId);
    expect(told.map(words)).toEqual([
      ['1 RUNNING', '2 RUNNING s1 RUNNING 1'],
      ['3 RUNNING s1 COMPLETED 1', '4 RUNNING s2 RUNNING 1'],
      ['5 RUNNING s2 FAILED 1', '6 RUNNING s2 PENDING 2'],
      ['7 RUNNING s2 RUNNING 2'],
      ['8 RUNNING s2 COMPLETED 2', '9 COMPLETED'],
    ]);
    expect(told[2]?.transitions[0]?.error_message).toMatch(/^Not now \(agent "\S+" at \S+, HTTP 503\)$/);
    expect(told[4]).toEqual({
      message_type: 'monitoring_update',
      run_id: runId,
      workflow_id: 'wf-monitored-1',
      sequence: 9,
      status: 'COMPLETED',
      step_id: null,
      scope: null,
      step_status: null,
      attempt: null,
      error_message: null,
      transitions: [
        {
          sequence: 8,
          status: 'RUNNING',
          step_id: 's2',
          scope: null,
          step_status: 'COMPLETED',
          attempt: 2,
          error_message: null,
        },
        {
          sequence: 9,
          status: 'COMPLETED',
          step_id: null,
          scope: null,
          step_status: null,
          attempt: null,
          error_message: null,
        },
      ],
      timestamp: expect.stringMatching(/^\d{4}-\d{2}-\d{2}T.*Z$/),
    });
    expect((await stack.client.findRun(runId)).sequence).toBe(9);
  });

  test('tell of a cancellation', async () => {
    await stack.addAgent('silent', () => ({ status: 202 }));
    const id = await stack.client.createWorkflow(sequence('cancelled', 'silent', 1));
    const runId = await stack.client.execute(id);
    await stack.client.stepsWhen(runId, ([step]) => step?.status === 'RUNNING');
    await stack.client.send('POST', `/api/v1/runs/${runId}/cancel`);
    await updates.when(({ value }) => value.run_id === runId, 2);
    expect(ofRun(runId).map(words)).toEqual([
      ['1 RUNNING', '2 RUNNING s1 RUNNING 1'],
      ['3 RUNNING s1 CANCELLED 1', '4 CANCELLED'],
    ]);
  });
});

describe('a record that cannot be dealt with', () => {
  test.each([
    ['executionRequests', 'that is not JSON', 'not JSON at all', 'expected JSON'],
    ['executionRequests', 'of somebody else', { hello: 'world' }, 'message_type'],
    [
      'executionRequests',
      'of a run that does not exist',
      {
        message_type: 'execution_request',
        run_id: 'run-nobody',
        workflow_plan: {},
        timestamp: '2026-01-15T10:30:00Z',
      },
      'run_id: expected a run that exists, got "run-nobody"',
    ],
    ['httpTasks', 'that is not JSON', '{', 'expected JSON'],
    ['httpTasks', 'of somebody else', { message_type: 'agent_task' }, 'run_id'],
    ['stepRequests', 'of somebody else', { message_type: 'wake', run_id: 5 }, 'run_id'],
  ] as const)(
    'in %s, %s, is a dead letter, and its neighbours are executed',
    async (topic, _, value, reason) => {
      stack.hold(topic, true);
      const before = await stack.client.execute(workflowId, { message: 'before' });
      await stack.produce(topic, 'a-key', value);
      const after = await stack.client.execute(workflowId, { message: 'after' });
      stack.hold(topic, false);
      for (const runId of [before, after]) expect((await stack.client.ended(runId)).status).toBe('COMPLETED');

      const from = stack.environment.topics[topic];
      const text = typeof value === 'string' ? value : JSON.stringify(value);
      const isIt = ({ value: letter }: { value: DeadLetter }) =>
        letter.topic === from && decoded(letter.value) === text;
      const [letter] = await deadLetters.when(isIt, 1);
      expect(letter?.value).toEqual({
        message_type: 'dead_letter',
        reason: expect.stringContaining(reason),
        topic: from,
        partition: 0,
        offset: expect.any(Number),
        key: Buffer.from('a-key').toString('base64'),
        value: Buffer.from(text).toString('base64'),
        timestamp: expect.any(String),
      });
      expect(letter?.key).toBe(`${from}-0-${letter?.value.offset}`);
      // Counted after it is published.
      await expect
        .poll(
          async () =>
            (await readDeadLetterCounts(stack.database)).find(({ topic }) => topic === from)?.letters,
        )
        .toBe(deadLetters.records.filter(({ value }) => value.topic === from).length);
    },
  );

  test('is an answer with a forged token: the step goes on waiting for its agent', async () => {
    stack.hold('httpTasks', true);
    const tasks = await stack.readTopic<AgentTask>('httpTasks');
    const runId = await stack.client.execute(workflowId, { message: 'honest' });
    const [task] = (await tasks.when(({ value }) => value.run_id === runId, 1)) as [ReadRecord<AgentTask>];
    const { step_execution_id, result_token } = task.value;
    const forged = {
      message_type: 'agent_result',
      run_id: runId,
      step_execution_id,
      attempt: 1,
      status: 'completed',
      output_data: { message: 'forged' },
      result_token: `${result_token.slice(0, -1)}${result_token.endsWith('A') ? 'B' : 'A'}`,
    };
    await stack.produce('results', runId, forged);
    const isIt = ({ value: { value } }: { value: DeadLetter }) => decoded(value) === JSON.stringify(forged);
    const [letter] = await deadLetters.when(isIt, 1);
    expect(letter?.value.reason).toBe('result_token: expected the token of the task');
    expect((await stack.client.findSteps(runId)).map(({ status }) => status)).toEqual(['RUNNING']);
    stack.hold('httpTasks', false);
    expect(await stack.client.ended(runId)).toMatchObject({
      status: 'COMPLETED',
      output_data: { message: 'honest' },
    });
  });
});

describe('an answer that a Kafka agent writes in its own way', () => {
  const settled = async (given: object) => {
    const id = await stack.client.createWorkflow(sequence('oddly-answered', 'odd', 1));
    const runId = await stack.client.execute(id);
    const [task] = (await tasks.when(({ value }) => value.run_id === runId, 1)) as [ReadRecord<AgentTask>];
    const { step_execution_id, result_token } = task.value;
    const text = JSON.stringify({ run_id: runId, step_execution_id, result_token, ...given });
    await stack.produce(
      'results',
      runId,
      text.replace('"<number>"', '9007199254740993').replace('"<NaN>"', 'NaN'),
    );
    const { status } = await stack.client.ended(runId);
    const [step] = await stack.client.findSteps(runId);
    return {
      status,
      output_data: step?.output_data,
      error_code: step?.error_code,
      error_message: step?.error_message,
    };
  };
  let tasks: TopicReader<AgentTask>;
  beforeAll(async () => {
    await stack.addAgent('odd', () => ({ status: 202 }));
    tasks = await stack.readTopic<AgentTask>('httpTasks');
  });

  test.each<[string, object, object]>([
    [
      'with null for what is absent, numbers for texts and a time that is a number completes the step',
      {
        message_type: 'agent_result',
        attempt: '1',
        status: 'COMPLETED',
        output_data: [1],
        error: null,
        logs: [1],
        timestamp: 0,
      },
      { status: 'COMPLETED', output_data: [1] },
    ],
    [
      'that fails with a number and nothing else fails it',
      { status: 'failed', error: { code: 500, message: null, retryable: false, retry_after_ms: -1 } },
      { status: 'FAILED', error_code: '500', error_message: 'The agent failed and said no more' },
    ],
    [
      'of another status fails it, and says so',
      { message_type: 'agent_result', status: 'ok' },
      { status: 'FAILED', error_code: 'AGENT_ANSWER_INVALID' },
    ],
    [
      'with a number that would be another one fails it, and says where',
      { message_type: 'agent_result', status: 'completed', output_data: { id: '<number>' } },
      {
        status: 'FAILED',
        error_code: 'UNSTORABLE',
        error_message: 'output_data.id: 9007199254740993 would become 9007199254740992; send it as text',
      },
    ],
    [
      'with NaN, which is no JSON, fails it',
      { message_type: 'agent_result', status: 'completed', output_data: { rate: '<NaN>' } },
      { status: 'FAILED', error_code: 'AGENT_ANSWER_NOT_JSON' },
    ],
  ])('%s', async (_, given, expected) => {
    expect(await settled(given)).toMatchObject(expected);
  });
});

test('a cancellation request without our token ends no run that has an owner', async () => {
  stack.hold('httpTasks', true);
  const runId = await stack.client.execute(workflowId, { message: 'mine' });
  const request = {
    message_type: 'cancellation_request',
    run_id: runId,
    cancelled_by: 'them',
    timestamp: '2026-01-15T10:35:00Z',
  };
  const isAbout =
    (token: string | null) =>
    ({ value: { value, reason } }: { value: DeadLetter }) =>
      decoded(value) ===
        JSON.stringify(token === null ? request : { ...request, cancellation_token: token }) &&
      reason.startsWith('cancellation_token: ');
  await stack.produce('cancellationRequests', runId, request);
  await stack.produce('cancellationRequests', runId, { ...request, cancellation_token: 'x' });
  await deadLetters.when(isAbout(null), 1);
  await deadLetters.when(isAbout('x'), 1);
  stack.hold('httpTasks', false);
  expect(await stack.client.ended(runId)).toMatchObject({
    status: 'COMPLETED',
    output_data: { message: 'mine' },
  });
});

const decoded = (base64: string | null) => Buffer.from(base64 ?? '', 'base64').toString();

describe('a run that another producer inserted, with the plan in its execution request', () => {
  /** Only what api-executor-integration shows: its columns, and its message. */
  async function insertRun(runId: string): Promise<void> {
    await stack.database.execute(
      `insert into workflow_runs (run_id, workflow_id, workflow_name, workflow_definition_id, status, input_data, triggered_by)
       values ($1, 'wf-data-pipeline-1', 'data-pipeline', null, 'PENDING', $2, 'user@example.com')`,
      [runId, JSON.stringify({ source_url: 's3://bucket/data.csv' })],
    );
  }
  const requestOf = (runId: string) => ({
    run_id: runId,
    workflow_plan: {
      workflow_id: 'wf-data-pipeline-1',
      name: 'data-pipeline',
      version: '1',
      start_step: 'extract',
      steps: {
        extract: {
          id: 'extract',
          agent_name: 'data-extractor',
          next_step: 'transform',
          input_mapping: { source: '$.workflow_input.source_url' },
        },
        transform: {
          id: 'transform',
          agent_name: 'data-transformer',
          next_step: null as string | null,
          input_mapping: { data: '$.extract.output_data' },
        },
      },
    },
    input_data: { source_url: 's3://bucket/data.csv' },
    timestamp: '2024-01-15T10:30:00.000Z',
    message_type: 'execution_request',
  });
  /** Its rows are nobody's here, so they are read as other readers of the tables do. */
  const runOf = (runId: string) =>
    stack.database.one<{ status: string; error_message: string | null; completed_at: Date | null }>(
      'select status, error_message, completed_at from workflow_runs where run_id = $1',
      [runId],
    );

  test('is executed', async () => {
    await stack.addAgent('data-extractor', ({ body }) => ({ body: { rows: 3, from: body.input_data } }));
    await stack.addAgent('data-transformer', ({ body }) => ({ body: { done: body.input_data } }));
    const runId = 'run-123e4567-e89b-12d3-a456-426614174000';
    await insertRun(runId);
    await stack.produce('executionRequests', runId, requestOf(runId));
    await expect
      .poll(() => runOf(runId))
      .toEqual({ status: 'COMPLETED', error_message: null, completed_at: expect.any(Date) });
    const steps = await stack.database.many(
      `select step_id, step_name, agent_name, status, input_data, output_data, error_message
         from step_executions where run_id = $1 order by started_at`,
      [runId],
    );
    const extracted = { rows: 3, from: { source: 's3://bucket/data.csv' } };
    expect(steps).toEqual([
      {
        step_id: 'extract',
        step_name: 'extract',
        agent_name: 'data-extractor',
        status: 'COMPLETED',
        input_data: { source: 's3://bucket/data.csv' },
        output_data: extracted,
        error_message: null,
      },
      {
        step_id: 'transform',
        step_name: 'transform',
        agent_name: 'data-transformer',
        status: 'COMPLETED',
        input_data: { data: extracted },
        output_data: { done: { data: extracted } },
        error_message: null,
      },
    ]);
  });

  test('fails where the plan is not valid, and says what is wrong with it', async () => {
    const runId = 'run-with-a-bad-plan';
    const request = requestOf(runId);
    request.workflow_plan.steps.transform.next_step = 'load';
    await insertRun(runId);
    await stack.produce('executionRequests', runId, request);
    await expect
      .poll(() => runOf(runId))
      .toEqual({
        status: 'FAILED',
        error_message:
          'The workflow_plan of the execution request is not valid: ' +
          'steps.transform.next_step: expected the id of a step or null, got "load"',
        completed_at: expect.any(Date),
      });
  });

  test('is cancelled by a cancellation request', async () => {
    const runId = 'run-to-be-cancelled';
    await insertRun(runId);
    const request = {
      run_id: runId,
      cancelled_by: 'user@example.com',
      reason: 'User requested cancellation',
      timestamp: '2024-01-15T10:35:00.000Z',
      message_type: 'cancellation_request',
    };
    await stack.produce('cancellationRequests', runId, request);
    await expect.poll(() => runOf(runId)).toMatchObject({ status: 'CANCELLED' });
    const { cancelled_by, cancelled_at } = await stack.database.one<{
      cancelled_by: string;
      cancelled_at: Date | null;
    }>('select cancelled_by, cancelled_at from workflow_runs where run_id = $1', [runId]);
    expect([cancelled_by, cancelled_at]).toEqual(['user@example.com', expect.any(Date)]);
  });
});
