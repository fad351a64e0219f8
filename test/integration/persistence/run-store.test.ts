import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { NO_ATTEMPTS } from '../../../shared/application/attempt-query.ts';
import type { BatchItem } from '../../../shared/application/batch.ts';
import type { AgentOutcome } from '../../../shared/engine/event.ts';
import type { Json } from '../../../shared/engine/json.ts';
import { createAgentCalls } from '../../../shared/persistence/agent-calls.ts';
import type { Statements } from '../../../shared/persistence/database.ts';
import { loadRuns } from '../../../shared/persistence/load-runs.ts';
import { createOutbox } from '../../../shared/persistence/outbox.ts';
import { saveChanges } from '../../../shared/persistence/save-changes.ts';
import { NO_CHANGES } from '../../support/changes.ts';
import {
  type EngineHarness,
  type Environment,
  openEngineHarness,
  sequence,
  topics,
} from '../../support/engine-harness.ts';
import { attempt } from '../../support/engine-states.ts';

let engine: EngineHarness;
beforeAll(async () => {
  engine = await openEngineHarness(inject('databaseUrl'));
});
afterAll(() => engine?.close());

const completed = (output: Json): AgentOutcome => ({ status: 'completed', output });
const failed = (retryable: boolean): AgentOutcome => ({
  status: 'failed',
  error: { code: 'BUSY', message: 'later', retryable },
});
const numbersTo = (last: number) => Array.from({ length: last }, (_, i) => i + 1);

async function startedRun(stepIds: readonly string[], given: object = {}, input: Json = { n: 1 }) {
  const { workflowId } = await engine.registerWorkflow(sequence(stepIds, given));
  const runId = await engine.start(workflowId, { input });
  expect(await engine.decide(runId, { type: 'execution_requested' })).toEqual({
    outcome: 'decided',
    status: 'RUNNING',
  });
  return runId;
}

async function outboxRows(): Promise<number> {
  await engine.published.flush();
  const { count } = await engine.database.one<{ count: number }>('select count(*) from outbox');
  return count;
}

describe('a run, from its request to its end', () => {
  it('I5: goes through its steps, each with what the ones before brought, and leaves nothing behind', async () => {
    const { workflowId } = await engine.registerWorkflow(sequence(['a', 'my-step', 'c']));
    const runId = await engine.start(workflowId, { input: { n: 1 } });
    expect(await engine.runRow(runId)).toMatchObject({
      status: 'PENDING',
      sequence: 0,
      owner: 'ann',
      triggered_by: 'ann',
      input_data: { n: 1 },
      error_message: null,
      started_at: null,
      wake_at: expect.any(Date),
    });

    await engine.decide(runId, { type: 'execution_requested' });
    expect(await engine.runRow(runId)).toMatchObject({ status: 'RUNNING', sequence: 2, wake_at: null });
    await engine.answer(runId, completed({ rows: 3 }));
    await engine.answer(runId, completed(null));
    const last = await engine.answer(runId, completed([1, 'two']));

    expect(last).toEqual({ outcome: 'decided', status: 'COMPLETED' });
    expect(await engine.runRow(runId)).toMatchObject({
      status: 'COMPLETED',
      output_data: [1, 'two'],
      error_message: null,
      wake_at: null,
      completed_at: expect.any(Date),
      cancelled_at: null,
    });
    const attempts = await engine.attemptRows(runId);
    expect(attempts).toMatchObject([
      {
        step_id: 'a',
        status: 'COMPLETED',
        input_data: { given: { n: 1 }, before: null },
        output_data: { rows: 3 },
      },
      { step_id: 'my-step', status: 'COMPLETED', input_data: { given: { n: 1 }, before: { rows: 3 } } },
      {
        step_id: 'c',
        status: 'COMPLETED',
        input_data: { given: { n: 1 }, before: null },
        output_data: [1, 'two'],
      },
    ]);
    expect(attempts.map(({ id, step_execution_id }) => id === step_execution_id)).toEqual([true, true, true]);
    expect(attempts.map(({ wake_at }) => wake_at)).toEqual([null, null, null]);
    expect(engine.sequencesOf(runId)).toEqual(numbersTo(8));
    expect(await outboxRows()).toBe(0);
  });

  it('publishes tasks that an agent can answer', async () => {
    const runId = await startedRun(['a']);
    const stepExecutionId = await engine.openAttempt(runId);
    const tasks = engine.broker.published.filter(({ key }) => key === stepExecutionId);
    expect(tasks).toEqual([
      {
        topic: topics.httpTasks,
        key: stepExecutionId,
        value: {
          message_type: 'agent_task',
          run_id: runId,
          step_execution_id: stepExecutionId,
          step_id: 'a',
          agent_name: 'a-agent',
          attempt: 1,
          input_data: { given: { n: 1 }, before: null },
          idempotency_key: `${runId}:a:1:47e6bacabc4d37ca`,
          deadline: expect.stringMatching(/^\d{4}-.*Z$/),
          result_token: `token-of-${stepExecutionId}`,
          timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
        },
      },
    ]);
  });

  it('routes tasks by the kind of the agent, the own one before the one that is for all', async () => {
    await engine.database.execute(
      `insert into agents (id, owner, name, kind, address) values
         (gen_random_uuid(), null, 'k-agent', 'kafka', 'agent.k'), (gen_random_uuid(), null, 'l-agent', 'lambda', 'fn'),
         (gen_random_uuid(), null, 'o-agent', 'kafka', 'agent.o'), (gen_random_uuid(), 'ann', 'o-agent', 'http', 'http://x'),
         (gen_random_uuid(), 'bob', 'p-agent', 'kafka', 'agent.of-another')`,
    );
    const topicsOfTasks: string[] = [];
    for (const step of ['k', 'l', 'o', 'p']) {
      const runId = await startedRun([step]);
      const id = await engine.openAttempt(runId);
      topicsOfTasks.push(
        ...engine.broker.published.filter(({ key }) => key === id).map(({ topic }) => topic),
      );
    }
    expect(topicsOfTasks).toEqual(['agent.k', topics.lambdaTasks, topics.httpTasks, topics.httpTasks]);
  });

  it('reads its variables as its input, and the other way round', async () => {
    const steps = {
      a: { agent_name: 'x', input_mapping: { i: '$.workflow_input.n', v: '$.variables.n' } },
    };
    const { workflowId } = await engine.registerWorkflow({ name: 'both-ways', start_step: 'a', steps });
    const inputs: unknown[] = [];
    for (const given of [{ input: { n: 1 } }, { variables: { n: 2 } }, {}]) {
      const runId = await engine.start(workflowId, given);
      await engine.decide(runId, { type: 'execution_requested' });
      inputs.push((await engine.attemptRows(runId))[0]?.input_data);
    }
    expect(inputs).toEqual([
      { i: 1, v: 1 },
      { i: 2, v: 2 },
      { i: null, v: null },
    ]);
  });

  it('keeps JSON as it came: unusual texts, numbers, keys', async () => {
    const output = {
      'ключ "\\': ['😀', '\u0001\u2028', 1e300, -0.1, 123456789012345],
      '': { a: [] },
      t: 'null',
    };
    const runId = await startedRun(['a', 'b']);
    await engine.answer(runId, completed(output));
    expect((await engine.attemptRows(runId))[1]?.input_data).toEqual({ given: { n: 1 }, before: output });
  });

  it('takes a timeout of a year', async () => {
    const steps = { a: { agent_name: 'x', timeout_seconds: 31_536_000 } };
    const { workflowId } = await engine.registerWorkflow({ name: 'patient', start_step: 'a', steps });
    const runId = await engine.start(workflowId);
    expect(await engine.decide(runId, { type: 'execution_requested' })).toEqual({
      outcome: 'decided',
      status: 'RUNNING',
    });
    expect(await engine.attemptRows(runId)).toMatchObject([{ timeout_ms: 31_536_000_000 }]);
  });
});

describe('a decision that comes too late', () => {
  it('is made again on what its run is by then: what came before is not after it', async () => {
    const runId = await startedRun(['a', 'b']);
    const other = engine.environment();
    const { cancelled, letGoAt } = await other.database.transaction(async (statements) => {
      // As a decision that is being committed.
      await statements.execute('update workflow_runs set sequence = sequence + 1 where run_id = $1', [runId]);
      const cancelled = engine.decide(runId, { type: 'cancellation_requested', by: 'bob', reason: null });
      await sleep(300);
      return { cancelled, letGoAt: Date.now() };
    });
    expect(await cancelled).toEqual({ outcome: 'decided', status: 'CANCELLED' });
    const { cancelled_at } = await engine.runRow(runId);
    expect((cancelled_at as Date).getTime()).toBeGreaterThanOrEqual(letGoAt);
  });

  it('is made under its lock where the run goes on again and again', async () => {
    const runId = await startedRun(['a']);
    const other = engine.environment();
    let isOver = false;
    let overtaken = 0;
    const going = (async () => {
      for (; !isOver; overtaken++)
        await other.database.execute('update workflow_runs set sequence = sequence + 1 where run_id = $1', [
          runId,
        ]);
    })();
    const signals = Array.from({ length: 5 }, (_, i) =>
      engine.decide(runId, { type: 'signal_received', name: 'go', signalId: `s${i}`, payload: i }),
    );
    const outcomes = await Promise.all(signals).finally(() => {
      isOver = true;
      return going;
    });
    expect(new Set(outcomes.map(({ outcome }) => outcome))).toEqual(new Set(['decided']));
    expect(overtaken).toBeGreaterThan(0);
  });
});

describe('retries and wakes', () => {
  it('I6: opens the next attempt on the same input when its time has come', async () => {
    const runId = await startedRun(['a'], { retry: { initial_interval_ms: 1_000, jitter: 'none' } });
    await engine.answer(runId, failed(true));
    const [first, second = {}] = await engine.attemptRows(runId);
    expect(first).toMatchObject({
      status: 'FAILED',
      error_code: 'BUSY',
      error_message: 'later',
      wake_at: null,
    });
    expect(second).toMatchObject({ status: 'PENDING', attempt: 2, started_at: null });
    const due = (second.due_at as Date).getTime();
    expect((second.wake_at as Date).getTime()).toBe(due);

    const stepExecutionId = second.step_execution_id as string;
    const wake = (at: number) => engine.decide(runId, { type: 'woken', stepExecutionId, at });
    expect(await wake(due - 1)).toEqual({ outcome: 'refused', code: 'NOT_DUE' });
    expect(await wake(due)).toEqual({ outcome: 'decided', status: 'RUNNING' });
    expect(await wake(due)).toEqual({ outcome: 'refused', code: 'NOT_DUE' });

    expect((await engine.attemptRows(runId))[1]).toMatchObject({
      status: 'RUNNING',
      started_at: expect.any(Date),
      deadline_at: expect.any(Date),
      due_at: null,
    });
    const task = engine.broker.published.find(({ key }) => key === stepExecutionId);
    expect(task?.value).toMatchObject({ attempt: 2, input_data: { given: { n: 1 }, before: null } });
    expect(engine.sequencesOf(runId)).toEqual(numbersTo(5));
  });

  it('publishes a task that nobody carried out once more, then fails the attempt with TIMEOUT', async () => {
    const runId = await startedRun(['a'], { retry: [] });
    const stepExecutionId = await engine.openAttempt(runId);
    const wake = async () => {
      const deadline = (await engine.attemptRows(runId))[0]?.deadline_at as Date;
      return engine.decide(runId, { type: 'woken', stepExecutionId, at: deadline.getTime() });
    };
    engine.clockOffsetMs = 3_700_000;
    expect(await wake()).toEqual({ outcome: 'decided', status: 'RUNNING' });
    expect((await engine.attemptRows(runId))[0]).toMatchObject({
      status: 'RUNNING',
      republished_at: expect.any(Date),
      input_data: { given: { n: 1 }, before: null },
    });
    const tasks = engine.broker.published.filter(({ key }) => key === stepExecutionId);
    expect(tasks.map(({ value }) => value.input_data)).toEqual([
      { given: { n: 1 }, before: null },
      { given: { n: 1 }, before: null },
    ]);

    engine.clockOffsetMs = 0;
    expect(await wake()).toEqual({ outcome: 'decided', status: 'FAILED' });
    expect(await engine.runRow(runId)).toMatchObject({
      status: 'FAILED',
      error_code: 'TIMEOUT',
      error_step_id: 'a',
      error_attempt: 1,
    });
    expect(engine.sequencesOf(runId)).toEqual(numbersTo(5));
  });

  it('I2: a retry of a failed run goes on from the last completed step', async () => {
    const runId = await startedRun(['a', 'b'], { retry: [] });
    await engine.answer(runId, completed({ rows: 3 }));
    await engine.answer(runId, failed(true));
    expect(await engine.runRow(runId)).toMatchObject({ status: 'FAILED', error_step_id: 'b' });

    expect(await engine.decide(runId, { type: 'retry_requested' })).toEqual({
      outcome: 'decided',
      status: 'RUNNING',
    });
    expect(await engine.runRow(runId)).toMatchObject({
      status: 'RUNNING',
      completed_at: null,
      error_message: null,
      error_code: null,
    });
    const stepExecutionId = await engine.openAttempt(runId);
    expect(engine.broker.published.at(-2)).toMatchObject({
      topic: topics.stepRequests,
      key: runId,
      value: { message_type: 'step_request', run_id: runId, step_execution_id: stepExecutionId },
    });
    await engine.decide(runId, { type: 'step_requested', stepExecutionId });
    await engine.answer(runId, completed('done'));

    expect(await engine.runRow(runId)).toMatchObject({ status: 'COMPLETED', output_data: 'done' });
    expect(await engine.attemptRows(runId)).toMatchObject([
      { step_id: 'a', attempt: 1, status: 'COMPLETED' },
      { step_id: 'b', attempt: 1, status: 'FAILED' },
      { step_id: 'b', attempt: 2, status: 'COMPLETED', input_data: { given: { n: 1 }, before: { rows: 3 } } },
    ]);
    expect(engine.sequencesOf(runId)).toEqual(numbersTo(11));
  });

  it('finds the last attempt also where the environment that opened it was behind the others', async () => {
    const runId = await startedRun(['a', 'b'], { retry: [] });
    engine.clockOffsetMs = -5_000;
    await engine.answer(runId, completed(1));
    await engine.answer(runId, failed(true));
    engine.clockOffsetMs = 0;
    await engine.decide(runId, { type: 'retry_requested' });
    expect((await engine.attemptRows(runId)).map(({ step_id, attempt }) => [step_id, attempt])).toEqual([
      ['a', 1],
      ['b', 1],
      ['b', 2],
    ]);
  });
});

describe('cancelling', () => {
  it('I4: closes the run and its open attempt; a late answer changes nothing', async () => {
    const runId = await startedRun(['a', 'b']);
    const stepExecutionId = await engine.openAttempt(runId);
    const event = { type: 'cancellation_requested', by: 'bob', reason: 'enough' } as const;
    expect(await engine.decide(runId, event)).toEqual({ outcome: 'decided', status: 'CANCELLED' });
    const row = await engine.runRow(runId);
    expect(row).toMatchObject({
      status: 'CANCELLED',
      cancelled_by: 'bob',
      cancel_reason: 'enough',
      cancelled_at: expect.any(Date),
    });
    expect(await engine.attemptRows(runId)).toMatchObject([{ status: 'CANCELLED', wake_at: null }]);
    const late = {
      type: 'agent_answered',
      stepExecutionId,
      attempt: 1,
      logs: null,
      outcome: completed(1),
    } as const;
    expect(await engine.decide(runId, late)).toEqual({ outcome: 'refused', code: 'RUN_CLOSED' });
    expect(await engine.runRow(runId)).toEqual(row);
  });

  it('while PENDING, before its request is read', async () => {
    const { workflowId } = await engine.registerWorkflow(sequence(['a']));
    const runId = await engine.start(workflowId);
    const event = { type: 'cancellation_requested', by: null, reason: null } as const;
    expect(await engine.decide(runId, event)).toEqual({ outcome: 'decided', status: 'CANCELLED' });
    expect(await engine.decide(runId, { type: 'execution_requested' })).toEqual({
      outcome: 'refused',
      code: 'RUN_CLOSED',
    });
  });

  it('I4: its own record, read after a retry, does not cancel the run again', async () => {
    const runId = await startedRun(['a']);
    await engine.decide(runId, { type: 'cancellation_requested', by: 'bob', reason: null });
    const record = engine.broker.published.findLast(({ topic }) => topic === topics.cancellationRequests);
    expect(record).toMatchObject({ key: runId });
    engine.clockOffsetMs = 20;
    await engine.decide(runId, { type: 'retry_requested' });
    engine.clockOffsetMs = 0;

    const requestedAt = Date.parse(record?.value.timestamp as string);
    expect(
      await engine.decide(runId, { type: 'cancellation_requested', by: 'bob', reason: null, requestedAt }),
    ).toEqual({ outcome: 'refused', code: 'CANCELLATION_OUTDATED' });
    expect(
      await engine.decide(runId, {
        type: 'cancellation_requested',
        by: 'bob',
        reason: null,
        requestedAt: requestedAt + 60_000,
      }),
    ).toEqual({ outcome: 'decided', status: 'CANCELLED' });
  });
});

describe('a batch', () => {
  it('decides records of one run one after another, and writes each row once', async () => {
    const runId = await startedRun(['a', 'b']);
    const stepExecutionId = await engine.openAttempt(runId);
    const answer: BatchItem = {
      runId,
      event: { type: 'agent_answered', stepExecutionId, attempt: 1, logs: ['x'], outcome: completed(1) },
    };
    const outcomes = await engine.processBatch([
      answer,
      answer,
      { runId, event: { type: 'cancellation_requested', by: 'bob', reason: null } },
      answer,
      { runId, event: { type: 'retry_requested' } },
    ]);
    expect(outcomes).toEqual([
      { outcome: 'decided', status: 'RUNNING' },
      { outcome: 'refused', code: 'ATTEMPT_CLOSED' },
      { outcome: 'decided', status: 'CANCELLED' },
      { outcome: 'refused', code: 'RUN_CLOSED' },
      { outcome: 'decided', status: 'RUNNING' },
    ]);
    expect(await engine.attemptRows(runId)).toMatchObject([
      { step_id: 'a', status: 'COMPLETED', logs: ['x'] },
      { step_id: 'b', status: 'CANCELLED', attempt: 1 },
      // Its input is made when it starts.
      { step_id: 'b', status: 'PENDING', attempt: 2, input_data: null },
    ]);
    expect(engine.sequencesOf(runId)).toEqual(numbersTo(8));
  });

  it('keeps the input of an attempt that fails and is retried in the same batch', async () => {
    const runId = await startedRun(['a'], { retry: { initial_interval_ms: 0 } });
    const stepExecutionId = await engine.openAttempt(runId);
    await engine.processBatch([
      {
        runId,
        event: { type: 'agent_answered', stepExecutionId, attempt: null, logs: null, outcome: failed(true) },
      },
      { runId, event: { type: 'retry_requested' } },
    ]);
    expect((await engine.attemptRows(runId))[1]).toMatchObject({
      status: 'PENDING',
      input_data: { given: { n: 1 }, before: null },
    });
  });

  it('I2: counts a repeat only once, in one batch and in the next', async () => {
    const runId = await startedRun(['a']);
    const stepExecutionId = await engine.openAttempt(runId);
    const item: BatchItem = {
      runId,
      event: { type: 'agent_answered', stepExecutionId, attempt: 1, logs: null, outcome: completed(1) },
    };
    expect(await engine.processBatch([item, item])).toEqual([
      { outcome: 'decided', status: 'COMPLETED' },
      { outcome: 'refused', code: 'RUN_CLOSED' },
    ]);
    const before = [await engine.runRow(runId), await engine.attemptRows(runId)];
    expect(await engine.processBatch([item])).toEqual([{ outcome: 'refused', code: 'RUN_CLOSED' }]);
    expect([await engine.runRow(runId), await engine.attemptRows(runId)]).toEqual(before);
  });

  it('finds a value that the database refuses, fails that attempt, and its neighbours go on', async () => {
    const runIds = await Promise.all(Array.from({ length: 5 }, () => startedRun(['a'], { retry: [] })));
    const items = await Promise.all(
      runIds.map(async (runId, i): Promise<BatchItem> => {
        const stepExecutionId = await engine.openAttempt(runId);
        const outcome = completed(i === 3 ? { text: 'a\u0000b' } : i);
        return {
          runId,
          event: { type: 'agent_answered', stepExecutionId, attempt: null, logs: null, outcome },
        };
      }),
    );
    const outcomes = await engine.processBatch(items);
    expect(outcomes.map((outcome) => 'status' in outcome && outcome.status)).toEqual([
      'COMPLETED',
      'COMPLETED',
      'COMPLETED',
      'FAILED',
      'COMPLETED',
    ]);
    expect(await engine.runRow(runIds[3]!)).toMatchObject({ error_code: 'UNSTORABLE', error_step_id: 'a' });
    expect(await outboxRows()).toBe(0);
  });

  it('names runs that do not exist, and its neighbours go on', async () => {
    const { workflowId } = await engine.registerWorkflow(sequence(['a']));
    const runId = await engine.start(workflowId);
    expect(
      await engine.processBatch([
        { runId: 'run-nowhere', event: { type: 'execution_requested' } },
        { runId, event: { type: 'execution_requested' } },
      ]),
    ).toEqual([{ outcome: 'unknown_run' }, { outcome: 'decided', status: 'RUNNING' }]);
  });

  it('I4: an answer that names an attempt of another run touches neither', async () => {
    const [mine, other] = [await startedRun(['a']), await startedRun(['a'])];
    const stepExecutionId = await engine.openAttempt(other);
    const event = {
      type: 'agent_answered',
      stepExecutionId,
      attempt: null,
      logs: null,
      outcome: completed(1),
    } as const;
    expect(await engine.decide(mine, event)).toEqual({ outcome: 'refused', code: 'UNKNOWN_ATTEMPT' });
    expect(await engine.runRow(other)).toMatchObject({ status: 'RUNNING' });
  });
});

describe('what a batch saves', () => {
  let environment: Environment;
  beforeAll(() => {
    environment = engine.environment();
  });

  it('I5: takes the batch with it where it fails, and the connection goes on', async () => {
    const runId = await startedRun(['a']);
    const stepExecutionId = await engine.openAttempt(runId);
    const before = [await engine.runRow(runId), await engine.attemptRows(runId)];
    const published = engine.broker.published.length;
    const answer = {
      type: 'agent_answered',
      stepExecutionId,
      attempt: 1,
      logs: null,
      outcome: completed(1),
    } as const;
    // The guard misses: the row is not there to be updated.
    await engine.database.execute(
      'create function keep_row() returns trigger language plpgsql as $$ begin return null; end $$',
    );
    await engine.database.execute(
      'create trigger keep_row before update on step_executions for each row execute function keep_row()',
    );
    try {
      // Nor can its run be ended: the attempt would be closed with it.
      expect(await environment.decide(runId, answer)).toEqual({
        outcome: 'defect',
        reason: `The step execution ${stepExecutionId} is not as it was loaded`,
      });
    } finally {
      await engine.database.execute('drop function keep_row cascade');
    }
    expect([await engine.runRow(runId), await engine.attemptRows(runId)]).toEqual(before);
    expect(engine.broker.published).toHaveLength(published);
    expect(await environment.decide(runId, answer)).toEqual({ outcome: 'decided', status: 'COMPLETED' });
  });

  it('is found where the database refuses its value', async () => {
    const runId = await startedRun(['a'], { retry: [] });
    const stepExecutionId = await engine.openAttempt(runId);
    const outcome = completed({ text: 'a\u0000b' });
    expect(
      await environment.decide(runId, {
        type: 'agent_answered',
        stepExecutionId,
        attempt: 1,
        logs: null,
        outcome,
      }),
    ).toMatchObject({ outcome: 'decided', status: 'FAILED', fault: { class: 'value' } });
    expect(await engine.runRow(runId)).toMatchObject({ error_code: 'UNSTORABLE' });
  });

  it('ends its run where a row is there already', async () => {
    const runId = await startedRun(['a', 'b']);
    const stepExecutionId = await engine.openAttempt(runId);
    await engine.database.execute(
      `insert into step_executions (step_execution_id, run_id, step_id, step_name, agent_name, status)
       values (gen_random_uuid(), $1, 'b', 'b', 'b', 'COMPLETED')`,
      [runId],
    );
    const event = {
      type: 'agent_answered',
      stepExecutionId,
      attempt: 1,
      logs: null,
      outcome: completed(1),
    } as const;
    expect(await environment.decide(runId, event)).toMatchObject({
      outcome: 'decided',
      status: 'FAILED',
      fault: { class: 'defect', reason: expect.stringMatching('visit_attempt_key') },
    });
    expect((await engine.attemptRows(runId)).map(({ status }) => status).sort()).toEqual([
      'CANCELLED',
      'COMPLETED',
    ]);
  });
});

describe('what is published', () => {
  it('is removed without waiting for the disk, by the transaction that removes it alone', async () => {
    const commitsBy = async (statements: Statements) =>
      (await statements.one<{ synchronous_commit: string }>('show synchronous_commit')).synchronous_commit;
    const within = await engine.database.transaction(async (statements) => {
      await createOutbox(statements).remove(['00000000-0000-7000-8000-000000000001']);
      return commitsBy(statements);
    });
    expect([within, await commitsBy(engine.database)]).toEqual(['off', 'on']);
  });
});

describe('guards', () => {
  const outbox = { id: '00000000-0000-7000-8000-000000000001', messages: [] };

  it('I4: a decision from a state that is no longer the last one rolls back as a whole', async () => {
    const runId = await startedRun(['a']);
    const before = await outboxRows();
    const write = engine.database.transaction((statements) =>
      saveChanges(
        statements,
        { ...NO_CHANGES, advanced: [{ runId, was: 1, sequence: 2, stepsStarted: 1 }] },
        outbox,
      ),
    );
    await expect(write).rejects.toMatchObject({ code: 'RUNS_MOVED_ON', runIds: [runId] });
    expect(await engine.runRow(runId)).toMatchObject({ sequence: 2 });
    expect(await outboxRows()).toBe(before);
  });

  it('what goes by times that have moved meanwhile is decided again', async () => {
    const runId = await startedRun(['a']);
    const id = await engine.openAttempt(runId);
    const query = { runIds: [runId], woken: [], attempts: { ...NO_ATTEMPTS, ids: [id] } };
    const [loaded] = (await loadRuns(engine.database, query)).attempts.get(runId)!;
    const { deadlineAt, heartbeatDueAt } = loaded!;
    const timesWere = { deadlineAt, heartbeatDueAt };
    const save = (kind: 'continued' | 'closed') => {
      const change = {
        ...loaded!,
        runId,
        status: kind === 'closed' ? 'FAILED' : 'RUNNING',
        timesWere,
      } as const;
      const entry = { id: randomUUID(), messages: [] };
      return saveChanges(engine.database, { ...NO_CHANGES, [kind]: [change] }, entry);
    };
    await save('continued');
    await createAgentCalls(engine.database).extendDeadlines([
      { runId, stepExecutionId: id, deadlineInMs: 7_200_000, accepted: false },
    ]);
    for (const kind of ['continued', 'closed'] as const)
      await expect(save(kind)).rejects.toMatchObject({ code: 'RUNS_MOVED_ON', runIds: [runId] });
    expect(await engine.attemptRows(runId)).toMatchObject([{ status: 'RUNNING' }]);
  });

  it('I2: an attempt that is closed is not closed again', async () => {
    const runId = await startedRun(['a']);
    const id = await engine.openAttempt(runId);
    await engine.answer(runId, completed('first'));
    const second = attempt({ stepExecutionId: id, status: 'COMPLETED', outputData: 'second', wakeAt: null });
    const closed = { ...second, runId };
    const write = engine.database.transaction((statements) =>
      saveChanges(statements, { ...NO_CHANGES, closed: [closed] }, outbox),
    );
    await expect(write).rejects.toMatchObject({ code: 'STALE_DECISION' });
    expect((await engine.attemptRows(runId))[0]).toMatchObject({ output_data: 'first' });
  });

  it('a stored definition never changes', async () => {
    const { versionId } = await engine.registerWorkflow(sequence(['a']));
    const change = engine.database.execute(`update workflow_versions set definition = '{}' where id = $1`, [
      versionId,
    ]);
    await expect(change).rejects.toThrow('workflow_versions rows are never changed');
  });
});

describe('two environments at once', () => {
  it('on the same runs, in any order, neither deadlock nor decide twice', async () => {
    const other = engine.environment();
    const third = engine.environment();
    const { workflowId } = await engine.registerWorkflow(sequence(['a', 'b', 'c']));
    const runIds = await Promise.all(Array.from({ length: 30 }, () => engine.start(workflowId)));
    const items = runIds.map((runId): BatchItem => ({ runId, event: { type: 'execution_requested' } }));
    const starts = await Promise.all([
      engine.processBatch(items),
      other.processBatch(items.toReversed()),
      third.processBatch([...items.slice(15), ...items.slice(0, 15)]),
    ]);
    const decidedCount = starts.flat().filter(({ outcome }) => outcome === 'decided').length;
    expect(decidedCount).toBe(30);

    for (let round = 0; round < 3; round++) {
      const rows = await engine.database.many<{ run_id: string; step_execution_id: string }>(
        `select run_id, step_execution_id from step_executions where run_id = any($1) and status = 'RUNNING'`,
        [runIds],
      );
      const answers = rows.map(
        ({ run_id, step_execution_id }): BatchItem => ({
          runId: run_id,
          event: {
            type: 'agent_answered',
            stepExecutionId: step_execution_id,
            attempt: 1,
            logs: null,
            outcome: completed(round),
          },
        }),
      );
      const outcomes = await Promise.all([
        engine.processBatch(answers),
        other.processBatch(answers.toReversed()),
        third.processBatch(answers),
      ]);
      expect(outcomes.flat().filter(({ outcome }) => outcome === 'decided')).toHaveLength(30);
    }
    const { completed: ends, attempts } = await engine.database.one<{ completed: number; attempts: number }>(
      `select (select count(*) from workflow_runs where run_id = any($1) and status = 'COMPLETED') as completed,
              (select count(*) from step_executions where run_id = any($1) and status = 'COMPLETED') as attempts`,
      [runIds],
    );
    expect([ends, attempts]).toEqual([30, 90]);
    for (const runId of runIds)
      expect(engine.sequencesOf(runId).toSorted((a, b) => a - b)).toEqual(numbersTo(8));
  });
});
