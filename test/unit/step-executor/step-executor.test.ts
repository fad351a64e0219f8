import { describe, expect, it } from 'vitest';
import { itemOfRecord } from '../../../functions/step-executor/item-of-record.ts';
import { createStepExecutor } from '../../../functions/step-executor/step-executor.ts';
import type { BatchItem, Outcome } from '../../../shared/application/batch.ts';
import type { MskEvent, MskRecord } from '../../../shared/kafka/msk-event.ts';
import type { OutgoingRecord } from '../../../shared/kafka/producer.ts';

const T0 = Date.parse('2026-01-15T10:30:00.000Z');
const timestamp = '2026-01-15T10:29:59.000Z';
const verify = (id: string, token: string) => token === `token-of-${id}`;

function record(value: unknown, given: Partial<MskRecord> = {}): MskRecord {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return {
    topic: 'results.topic',
    partition: 0,
    offset: 5,
    timestamp: T0,
    timestampType: 'CREATE_TIME',
    key: null,
    value: Buffer.from(text).toString('base64'),
    headers: [],
    ...given,
  };
}

const result = {
  message_type: 'agent_result',
  run_id: 'r1',
  step_execution_id: 'a-1',
  attempt: 2,
  status: 'completed',
  output_data: { rows: 3 },
  result_token: 'token-of-a-1',
};
const resultText = (output: string) =>
  JSON.stringify({ ...result, output_data: 0 }).replace('"output_data":0', `"output_data":${output}`);

function eventOf(value: unknown) {
  const translated = itemOfRecord(record(value), verify);
  if (!translated.ok) throw new Error(translated.reason);
  return translated.item.event;
}

describe('a record means', () => {
  it.each<[string, object, BatchItem]>([
    [
      'the start of its run, with the plan that it carries',
      { message_type: 'execution_request', run_id: 'r1', workflow_plan: { a: 1 }, input_data: 1, timestamp },
      { runId: 'r1', event: { type: 'execution_requested' }, inlinePlan: { a: 1 } },
    ],
    [
      'a cancellation that everybody knows of already, asked for at its time',
      { message_type: 'cancellation_request', run_id: 'r1', cancelled_by: 'ann', reason: 'x', timestamp },
      {
        runId: 'r1',
        event: {
          type: 'cancellation_requested',
          by: 'ann',
          reason: 'x',
          announced: true,
          requestedAt: T0 - 1_000,
        },
      },
    ],
    [
      'a cancellation by nobody, for no reason, at no time that can be read',
      { message_type: 'cancellation_request', run_id: 'r1', timestamp: 'yesterday' },
      { runId: 'r1', event: { type: 'cancellation_requested', by: null, reason: null, announced: true } },
    ],
    [
      'the start of an attempt',
      { message_type: 'step_request', run_id: 'r1', step_execution_id: 'a-1', timestamp },
      { runId: 'r1', event: { type: 'step_requested', stepExecutionId: 'a-1' } },
    ],
    [
      'a child that is to go on, for the attempt that waits for it now',
      {
        message_type: 'retry_request',
        run_id: 'r1',
        step_execution_id: 'a-1',
        previous_step_execution_id: 'a-0',
        retry_token: 'token-of-retry r1 a-1',
        timestamp,
      },
      {
        runId: 'r1',
        event: {
          type: 'retry_requested',
          parentStepExecutionId: 'a-1',
          previousParentStepExecutionId: 'a-0',
          requestedAt: T0 - 1_000,
        },
      },
    ],
    [
      'a child that is asked whether it has ended',
      {
        message_type: 'retry_request',
        run_id: 'r1',
        step_execution_id: 'a-1',
        is_reminder: true,
        retry_token: 'token-of-retry r1 a-1',
        timestamp,
      },
      { runId: 'r1', event: { type: 'answer_requested', parentStepExecutionId: 'a-1' } },
    ],
    [
      "a wake of a run, by the database's clock",
      { message_type: 'wake', run_id: 'r1', step_execution_id: null, timestamp },
      { runId: 'r1', event: { type: 'woken', stepExecutionId: null, at: T0 - 1_000 } },
    ],
    [
      'a wake of an attempt',
      { message_type: 'wake', run_id: 'r1', step_execution_id: 'a-1', timestamp },
      { runId: 'r1', event: { type: 'woken', stepExecutionId: 'a-1', at: T0 - 1_000 } },
    ],
    [
      'an answer',
      { ...result, logs: ['one', 'two'] },
      {
        runId: 'r1',
        event: {
          type: 'agent_answered',
          stepExecutionId: 'a-1',
          attempt: 2,
          outcome: { status: 'completed', output: { rows: 3 } },
          logs: ['one', 'two'],
        },
      },
    ],
  ])('%s', (_, message, item) => {
    expect(itemOfRecord(record(message), verify)).toEqual({ ok: true, item });
  });

  it('an answer without output is one of null', () => {
    const { output_data: _, ...silent } = result;
    expect(eventOf(silent)).toMatchObject({ outcome: { status: 'completed', output: null }, logs: null });
  });
});

describe('an answer that cannot be stored fails its attempt', () => {
  it.each<[string, string, string, string]>([
    [
      'too large',
      JSON.stringify('x'.repeat(262_143)),
      'DATA_LIMIT',
      "The agent's output is larger than the limit of 262144 bytes of JSON: 262145",
    ],
    [
      'too large in bytes, not in characters',
      JSON.stringify('€'.repeat(100_000)),
      'DATA_LIMIT',
      "The agent's output is larger than the limit of 262144 bytes of JSON: 300002",
    ],
    [
      'too deep',
      `${'['.repeat(101)}${']'.repeat(101)}`,
      'TOO_DEEP',
      `output_data.0${'.0'.repeat(99)}: expected at most 100 levels of nesting`,
    ],
    [
      'too many entries',
      JSON.stringify(Array.from({ length: 50_001 }, () => 0)),
      'TOO_MANY_ENTRIES',
      'output_data: expected at most 50000 keys and items in all',
    ],
    [
      'U+0000',
      '{"a":["\\u0000"]}',
      'UNSTORABLE',
      'output_data.a.0: expected text without the character U+0000',
    ],
    [
      'a lone surrogate',
      '"\\ud800"',
      'UNSTORABLE',
      'output_data: expected well-formed Unicode, got a lone surrogate',
    ],
    [
      '1e400',
      '{"a":1e400}',
      'UNSTORABLE',
      'output_data.a: expected a number that fits a double (below 1.8e308)',
    ],
    [
      '__proto__',
      '{"__proto__":1}',
      'UNSTORABLE',
      'output_data.__proto__: expected another key than __proto__',
    ],
  ])('%s', (_, output, code, message) => {
    expect(eventOf(resultText(output))).toMatchObject({
      outcome: { status: 'failed', error: { code, message, retryable: false } },
    });
  });

  it('nested past every stack', () => {
    const event = eventOf(resultText(`${'['.repeat(500_000)}${']'.repeat(500_000)}`));
    expect(event).toMatchObject({
      outcome: { status: 'failed', error: { code: 'TOO_DEEP', retryable: false } },
    });
  });

  it('and one that just fits does not', () => {
    expect(eventOf(resultText(JSON.stringify('x'.repeat(262_142))))).toMatchObject({
      outcome: { status: 'completed' },
    });
    expect(eventOf(resultText(`${'['.repeat(100)}${']'.repeat(100)}`))).toMatchObject({
      outcome: { status: 'completed' },
    });
  });
});

describe('a failure that an agent tells', () => {
  const failed = { ...result, status: 'failed', output_data: undefined };

  it.each<[string, object, object]>([
    [
      'is passed on',
      { error: { code: 'BUSY', message: 'later', retryable: false, retry_after_ms: 500 } },
      { code: 'BUSY', message: 'later', retryable: false, retryAfterMs: 500 },
    ],
    [
      'without an error is retried',
      {},
      { code: 'AGENT_ERROR', message: 'The agent failed and said no more', retryable: true },
    ],
    [
      'is made storable',
      { error: { code: 'A\u0000', message: `b\u0000\ud800${'x'.repeat(9_000)}`, retryable: true } },
      { code: 'A\ufffd', message: `b\ufffd\ufffd${'x'.repeat(3_997)}`, retryable: true },
    ],
  ])('%s', (_, given, error) => {
    expect(eventOf({ ...failed, ...given })).toMatchObject({ outcome: { status: 'failed', error } });
  });

  it('keeps a hundred lines of its log, each at its length and storable', () => {
    const logs = ['a\u0000b', 'y'.repeat(3_000), ...Array.from({ length: 200 }, () => 'line')];
    expect(eventOf({ ...result, logs })).toMatchObject({
      logs: ['a\ufffdb', 'y'.repeat(2_000), ...Array.from({ length: 98 }, () => 'line')],
    });
  });
});

describe('a dead letter is a record that', () => {
  it.each<[string, unknown, string | RegExp]>([
    ['is no JSON', '{', /^expected JSON: /],
    ['is none of ours', { hello: 1 }, /^message_type: /],
    [
      'has a token of another attempt',
      { ...result, result_token: 'token-of-a-2' },
      'result_token: expected the token of the task',
    ],
    [
      "asks for a retry with a token of an agent's task",
      {
        message_type: 'retry_request',
        run_id: 'r1',
        step_execution_id: 'a-1',
        retry_token: 'token-of-a-1',
        timestamp,
      },
      'retry_token: expected the token of the run and of the step that waits for it',
    ],
    ['has no token', { ...result, result_token: undefined }, /^result_token: /],
    [
      'has U+0000 in its envelope',
      { ...result, run_id: 'r\u0000' },
      'run_id: expected text without the character U+0000',
    ],
    ['has an error of another shape', { ...result, status: 'failed', error: 'boom' }, /^error: /],
  ])('%s', (_, value, reason) => {
    expect(itemOfRecord(record(value), verify)).toEqual({
      ok: false,
      reason: typeof reason === 'string' ? reason : expect.stringMatching(reason),
    });
  });
});

describe('the step-executor', () => {
  const request = (runId: string) => ({
    message_type: 'step_request',
    run_id: runId,
    step_execution_id: 'a-1',
    timestamp,
  });

  function setUp(outcomes: readonly Outcome[] | Error, publish?: () => Promise<void>) {
    const decidedOf: string[] = [];
    const deadLetters: OutgoingRecord[] = [];
    const counted: number[] = [];
    const logged: unknown[] = [];
    const handler = createStepExecutor({
      async decideBatch(items) {
        decidedOf.push(...items.map(({ runId }) => runId));
        if (outcomes instanceof Error) throw outcomes;
        return [...outcomes];
      },
      producer: { publish: publish ?? (async (records) => void deadLetters.push(...records)) },
      verifyResultToken: verify,
      deadLetterTopic: 'dead',
      countDeadLetters: async (letters) => void counted.push(...letters.map(({ offset }) => offset)),
      clock: { now: () => T0 },
      log: { debug: (message, fields) => logged.push([message, fields]), warn() {} },
    });
    return { handler, decidedOf, deadLetters, counted, logged };
  }

  const eventWith = (...values: unknown[]): MskEvent => ({
    eventSource: 'aws:kafka',
    records: { 'results.topic-0': values.map((value, offset) => record(value, { offset })) },
  });
  const decided: Outcome = { outcome: 'decided', status: 'RUNNING' };

  it('decides what it can read, and answers for the rest', async () => {
    const { handler, decidedOf, deadLetters, counted, logged } = setUp([
      decided,
      { outcome: 'refused', code: 'RUN_CLOSED' },
      { outcome: 'unknown_run' },
      { outcome: 'value_refused', reason: 'no such value' },
      { outcome: 'defect', reason: 'a bug' },
      decided,
    ]);
    const batch = eventWith(
      request('r1'),
      'broken',
      request('r2'),
      request('r3'),
      request('r4'),
      request('r5'),
      request('r6'),
    );
    expect(await handler(batch)).toEqual({ batchItemFailures: [] });
    expect(decidedOf).toEqual(['r1', 'r2', 'r3', 'r4', 'r5', 'r6']);
    expect(deadLetters.map(({ topic, value }) => [topic, value.offset, value.reason])).toEqual([
      ['dead', 1, expect.stringMatching(/^expected JSON: /)],
      ['dead', 3, 'run_id: expected a run that exists, got "r3"'],
      ['dead', 4, 'no such value'],
      ['dead', 5, 'a bug'],
    ]);
    expect([...counted].sort()).toEqual([1, 3, 4, 5]);
    const event = 'step_requested';
    expect(logged).toEqual([
      ['Event decided', { run_id: 'r1', event, status: 'RUNNING' }],
      ['Event refused', { run_id: 'r2', event, code: 'RUN_CLOSED' }],
      ['Event decided', { run_id: 'r6', event, status: 'RUNNING' }],
    ]);
    expect(deadLetters[0]?.value).toMatchObject({
      message_type: 'dead_letter',
      topic: 'results.topic',
      partition: 0,
      value: Buffer.from('broken').toString('base64'),
    });
  });

  it('publishes no dead letters where there are none', async () => {
    const { handler } = setUp([decided], () => Promise.reject(new Error('asked')));
    await expect(handler(eventWith(request('r1')))).resolves.toEqual({ batchItemFailures: [] });
  });

  it('throws where the database is away: the batch comes again', async () => {
    const { handler } = setUp(new Error('no database'));
    await expect(handler(eventWith(request('r1')))).rejects.toThrow('no database');
  });

  it('throws where the dead-letter topic is away: nothing is lost', async () => {
    const { handler, counted } = setUp([], () => Promise.reject(new Error('no broker')));
    await expect(handler(eventWith('broken'))).rejects.toThrow('no broker');
    expect(counted).toEqual([]);
  });
});
