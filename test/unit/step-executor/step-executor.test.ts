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
  const translated = itemOfRecord(record(value), verify, T0);
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
      {
        message_type: 'cancellation_request',
        run_id: 'r1',
        cancelled_by: 'ann',
        reason: 'x',
        cancellation_token: `token-of-cancel r1 ${timestamp}`,
        timestamp,
      },
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
      'without a token a cancellation of what has no owner, by nobody, for no reason, at no time that can be read',
      { message_type: 'cancellation_request', run_id: 'r1', timestamp: 'yesterday' },
      {
        runId: 'r1',
        event: { type: 'cancellation_requested', by: null, reason: null, announced: true },
        onlyOfNobody: true,
      },
    ],
    [
      'a cancellation as clients write it who have no text for a name, null for no reason, and seconds for times',
      {
        message_type: 'cancellation_request',
        run_id: 'r1',
        cancelled_by: 42,
        reason: null,
        cancellation_token: null,
        timestamp: (T0 - 1_000) / 1_000,
      },
      {
        runId: 'r1',
        event: {
          type: 'cancellation_requested',
          by: '42',
          reason: null,
          announced: true,
          requestedAt: T0 - 1_000,
        },
        onlyOfNobody: true,
      },
    ],
    [
      'a cancellation whose reason is cut, and cleaned',
      {
        message_type: 'cancellation_request',
        run_id: 'r1',
        cancelled_by: `\u0000${'x'.repeat(254)}😀`,
        reason: `\u0000\ud800${'x'.repeat(5_000)}`,
        timestamp: T0,
      },
      {
        runId: 'r1',
        event: {
          type: 'cancellation_requested',
          by: 'x'.repeat(254),
          reason: `\ufffd${'x'.repeat(3_999)}`,
          announced: true,
          requestedAt: T0,
        },
        onlyOfNobody: true,
      },
    ],
    [
      'the start of its run, with whatever it has for a plan, and no time',
      { message_type: 'execution_request', run_id: 'r1', workflow_plan: null, timestamp: 1_768_473_000 },
      { runId: 'r1', event: { type: 'execution_requested' }, inlinePlan: null },
    ],
    [
      'the start of its run, whatever its input, which is in its row',
      { message_type: 'execution_request', run_id: 'r1', workflow_plan: {}, input_data: '\u0000' },
      { runId: 'r1', event: { type: 'execution_requested' }, inlinePlan: {} },
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
      'a wake of what is due now, and of nothing else, whatever time it claims',
      { message_type: 'wake', run_id: 'r1', timestamp: '2999-01-15T10:30:00Z' },
      { runId: 'r1', event: { type: 'woken', stepExecutionId: null, at: T0 + 5_000 } },
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
          attempt: null,
          outcome: { status: 'completed', output: { rows: 3 } },
          logs: ['one', 'two'],
        },
      },
    ],
  ])('%s', (_, message, item) => {
    expect(itemOfRecord(record(message), verify, T0)).toEqual({ ok: true, item });
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
      'an integer that no double holds',
      '{"items":[0,1,2,{"id":9007199254740993}]}',
      'UNSTORABLE',
      'output_data.items.3.id: 9007199254740993 would become 9007199254740992; send it as text',
    ],
    [
      'a number with more digits than a double',
      '12345678901234567.89',
      'UNSTORABLE',
      'output_data: 12345678901234567.89 would become 12345678901234568; send it as text',
    ],
    [
      'more digits, written out, than a payload has',
      JSON.stringify(Array.from({ length: 900 }, () => 1e308)),
      'DATA_LIMIT',
      'output_data.848: expected numbers of at most 262144 digits in all, written out without exponents',
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
      { code: 'A', message: `b\ufffd${'x'.repeat(3_998)}`, retryable: true },
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

describe('an answer with the right token settles its attempt', () => {
  const failed = { ...result, status: 'failed', output_data: undefined };
  const noCode = 'AGENT_ERROR';
  const noMessage = 'The agent failed and said no more';

  it.each<[string, unknown, object]>([
    ['a number for a code', { code: 500, message: 'x' }, { code: '500', message: 'x', retryable: true }],
    ['no code', { code: '', message: 'x' }, { code: noCode, message: 'x', retryable: true }],
    ['a code of 300 characters', { code: 'c'.repeat(300) }, { code: 'c'.repeat(255), message: noMessage }],
    ['a code that is cut in a pair', { code: `${'c'.repeat(254)}😀` }, { code: 'c'.repeat(254) }],
    ['a code of lines', { code: 'a\nb' }, { code: 'a b' }],
    [
      'null for what is absent',
      { code: null, message: null, retryable: null, retry_after_ms: null },
      { code: noCode, message: noMessage, retryable: true, retryAfterMs: undefined },
    ],
    ['an error that is a text', 'boom', { code: noCode, message: 'boom', retryable: true }],
    ['an error that is a list', ['a', 1], { code: noCode, message: '["a",1]', retryable: true }],
    ['an error that is a number', 7, { message: '7' }],
    [
      'an error inside an error',
      { error: { code: 'C', message: 'm', retryable: false } },
      { code: 'C', message: 'm', retryable: false },
    ],
    ['a message that is an object', { message: { a: 1 } }, { code: noCode, message: '{"a":1}' }],
    ['text for a flag', { retryable: 'False' }, { retryable: false }],
    ['a number for a flag', { retryable: 0 }, { retryable: false }],
    ['something for a flag', { retryable: 'maybe' }, { retryable: true }],
    ['a time before now', { retry_after_ms: -1 }, { retryAfterMs: undefined }],
    ['a time as text', { retry_after_ms: '250' }, { retryAfterMs: 250 }],
    ['a fraction of a time', { retry_after_ms: 1.5 }, { retryAfterMs: 2 }],
    ['a time of years', { retry_after_ms: 1e300 }, { retryAfterMs: 86_400_000 }],
    ['no time', { retry_after_ms: 'soon' }, { retryAfterMs: undefined }],
  ])('that tells a failure with %s', (_, error, told) => {
    expect(eventOf({ ...failed, error })).toMatchObject({
      type: 'agent_answered',
      stepExecutionId: 'a-1',
      outcome: { status: 'failed', error: told },
    });
  });

  it.each<[string, object]>([
    ['COMPLETED', { status: 'COMPLETED' }],
    ['completed, with blanks', { status: ' Completed ' }],
    ['completed at a time that is a number', { timestamp: 1_768_473_000_000 }],
    ['completed in attempt "2"', { attempt: '2' }],
    ['completed in attempt 0', { attempt: 0 }],
    ['completed, with an error that is null', { error: null }],
    ['completed, with fields that nobody knows', { trace: '\u0000', meta: { depth: [[1e300]] } }],
    ['completed, and leaves out what the record is', { message_type: undefined }],
    ["completed, and sends back the task's type", { message_type: 'agent_task' }],
  ])('that says %s', (_, given) => {
    expect(eventOf({ ...result, ...given })).toMatchObject({
      type: 'agent_answered',
      stepExecutionId: 'a-1',
      attempt: null,
      outcome: { status: 'completed', output: { rows: 3 } },
    });
  });

  it.each<[string, object, object]>([
    [
      'a status that is none',
      { status: 'done' },
      {
        code: 'AGENT_ANSWER_INVALID',
        message: `The agent's answer cannot be used: status: expected completed or failed, got "done"`,
        retryable: false,
      },
    ],
    [
      'no status',
      { status: undefined },
      { message: `The agent's answer cannot be used: status: expected completed or failed, got null` },
    ],
    [
      'a status that is none, and an error',
      { status: 'error', error: { code: 'BUSY' } },
      { code: 'BUSY', retryable: true },
    ],
  ])('with %s: it has failed', (_, given, error) => {
    expect(eventOf({ ...result, ...given })).toMatchObject({ outcome: { status: 'failed', error } });
  });

  it.each<[string, unknown, readonly string[] | null]>([
    ['numbers', [1, 2], ['1', '2']],
    ['objects and nothing', [{ a: 1 }, null], ['{"a":1}', 'null']],
    ['a text of lines', 'one\ntwo', ['one', 'two']],
    ['an object', { a: 1 }, ['{"a":1}']],
    ['null', null, null],
  ])('whose log is %s', (_, logs, kept) => {
    expect(eventOf({ ...result, logs })).toMatchObject({ logs: kept, outcome: { status: 'completed' } });
  });

  it('whose numbers are changed elsewhere than in its output', () => {
    const text = resultText('1').replace('{', '{"trace":9007199254740993,');
    expect(eventOf(text)).toMatchObject({ outcome: { status: 'completed', output: 1 } });
  });

  it.each<[string, string]>([
    ['NaN', '{"a":NaN}'],
    ['Infinity', '[1,-Infinity]'],
  ])('that has %s, which is no JSON: it has failed', (_, output) => {
    expect(eventOf(resultText(output))).toMatchObject({
      outcome: {
        status: 'failed',
        error: {
          code: 'AGENT_ANSWER_NOT_JSON',
          message: expect.stringMatching(/^The agent's answer cannot be used: expected JSON: /),
          retryable: false,
        },
      },
    });
  });

  it.each<[string, string]>([
    ['a zero byte behind it', `${resultText('1')}\0`],
    ["a schema's id before it", `\0\0\0\u0001\u0007${resultText('1')}`],
    ['a line break in a string', resultText('"one\ntwo"')],
  ])('that has %s, and so is no JSON: it has failed', (_, text) => {
    expect(eventOf(text)).toMatchObject({
      outcome: {
        status: 'failed',
        error: { code: 'AGENT_ANSWER_NOT_JSON', message: expect.stringContaining('expected JSON: ') },
      },
    });
  });

  it('that was written as JSON twice: it has failed', () => {
    expect(eventOf(JSON.stringify(JSON.stringify(result)))).toMatchObject({
      outcome: {
        status: 'failed',
        error: {
          code: 'AGENT_ANSWER_NOT_JSON',
          message: "The agent's answer cannot be used: expected an object, got text",
        },
      },
    });
  });

  it('that is not UTF-8: it has failed, or failed as it says', () => {
    const latin1 = (value: object) =>
      record('', { value: Buffer.from(JSON.stringify(value), 'latin1').toString('base64') });
    const outcomeOf = (value: object) => {
      const translated = itemOfRecord(latin1(value), verify, T0);
      return translated.ok ? translated.item.event : translated;
    };
    expect(outcomeOf({ ...result, output_data: 'ü' })).toMatchObject({
      outcome: {
        error: {
          code: 'AGENT_ANSWER_NOT_JSON',
          message: "The agent's answer cannot be used: expected a value in UTF-8",
        },
      },
    });
    expect(outcomeOf({ ...failed, error: { code: 'C', message: 'für' } })).toMatchObject({
      outcome: { error: { code: 'C', message: 'f\ufffdr' } },
    });
  });
});

it('a plan with numbers that reading changed says where', () => {
  const text = `{"message_type":"execution_request","run_id":"r1","workflow_plan":{"steps":{"a":{"input_mapping":{"id":9007199254740993}}}},"input_data":9007199254740993}`;
  expect(itemOfRecord(record(text), verify, T0)).toMatchObject({
    item: {
      inlinePlanLosses: [
        {
          path: 'steps.a.input_mapping.id',
          message: '9007199254740993 would become 9007199254740992; send it as text',
        },
      ],
    },
  });
});

describe('a dead letter is a record that', () => {
  it.each<[string, unknown, string | RegExp]>([
    ['is no JSON', '{', /^expected JSON: /],
    // Were each quotation mark in it taken for the beginning of another, this would take minutes, and a record of 2 MiB hours.
    ['has a string that nobody closes', `{"a":"${'\\"'.repeat(100_000)}}`, /^expected JSON: /],
    ['ends within an escape', '{"a":"\\', /^expected JSON: /],
    ['is none of ours', { hello: 1 }, /^message_type: /],
    ['is text', JSON.stringify('hello'), /^message_type: /],
    [
      'was written as JSON twice, and has no token',
      JSON.stringify(JSON.stringify({ ...result, result_token: undefined })),
      /^message_type: /,
    ],
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
    [
      'cancels with the token of another time',
      {
        message_type: 'cancellation_request',
        run_id: 'r1',
        cancellation_token: `token-of-cancel r1 ${timestamp}`,
        timestamp: '2026-01-15T10:30:00.000Z',
      },
      'cancellation_token: expected the token of the run and of the timestamp',
    ],
    ['names no run', { ...result, run_id: null }, /^run_id: /],
    ['names no attempt', { ...result, step_execution_id: 5 }, /^step_execution_id: /],
    [
      'is an answer that is no JSON, and has no token',
      '{"message_type":"agent_result","a":NaN}',
      /^expected JSON: /,
    ],
    [
      'is an answer that is no JSON, with a token of another attempt',
      `{"message_type":"agent_result","run_id":"r1","step_execution_id":"a-1","result_token":"token-of-a-2","output_data":NaN}`,
      /^expected JSON: /,
    ],
  ])('%s', (_, value, reason) => {
    expect(itemOfRecord(record(value), verify, T0)).toEqual({
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
    const failed: unknown[] = [];
    const handler = createStepExecutor({
      async processBatch(items) {
        decidedOf.push(...items.map(({ runId }) => runId));
        if (outcomes instanceof Error) throw outcomes;
        return [...outcomes];
      },
      producer: { publish: publish ?? (async (records) => void deadLetters.push(...records)) },
      verifyResultToken: verify,
      deadLetterTopic: 'dead',
      countDeadLetters: async (letters) => void counted.push(...letters.map(({ offset }) => offset)),
      clock: { now: () => T0 },
      log: {
        debug: (message, fields) => logged.push([message, fields]),
        warn() {},
        error: (message, { run_id }) => failed.push([message, run_id]),
      },
    });
    return { handler, decidedOf, deadLetters, counted, logged, failed };
  }

  const eventWith = (...values: unknown[]): MskEvent => ({
    eventSource: 'aws:kafka',
    records: { 'results.topic-0': values.map((value, offset) => record(value, { offset })) },
  });
  const decided: Outcome = { outcome: 'decided', status: 'RUNNING' };

  it('tells of a defect that ended a run as a dead letter and an error, of a value that did as neither', async () => {
    const ended = (kind: 'value' | 'defect'): Outcome => ({
      outcome: 'decided',
      status: 'FAILED',
      fault: { class: kind, reason: `a ${kind}` },
    });
    const { handler, deadLetters, failed } = setUp([ended('value'), ended('defect')]);
    await handler(eventWith(request('r1'), request('r2')));
    expect(deadLetters.map(({ value }) => value.reason)).toEqual(['a defect']);
    expect(failed).toEqual([['A record met a defect', 'r2']]);
  });

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
