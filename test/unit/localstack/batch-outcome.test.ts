import { describe, expect, test } from 'vitest';
import { batchOutcome } from '../../../localstack/event-source/batch-outcome.ts';

const item = (offset: unknown, partition: unknown = 't-0') => ({ itemIdentifier: { partition, offset } });
const outcome = (payload: unknown) => batchOutcome({ ok: true, payload }, 't-0', [10, 11, 15], true);

describe('a batch of offsets 10, 11 and 15', () => {
  test.each([
    ['no answer', undefined],
    ['null', null],
    ['an empty object', {}],
    ['a null list', { batchItemFailures: null }],
    ['an empty list', { batchItemFailures: [] }],
  ])('%s is success', (_, payload) => {
    expect(outcome(payload)).toEqual({ done: 3, asAWhole: false });
  });

  test.each([
    ['the first', [item(10)], 0],
    ['the last', [item(15)], 2],
    ['several, in any order', [item(15), item(11)], 1],
  ])('names %s', (_, batchItemFailures, done) => {
    expect(outcome({ batchItemFailures })).toEqual({ done, asAWhole: false });
  });

  test.each([
    ['an offset that is not in it', [item(15), item(12)]],
    ['another partition', [item(11, 't-1')]],
    ['text for an offset', [item('11')]],
    ['no identifier', [{}]],
    ['null for an identifier', [{ itemIdentifier: null }]],
    ['a list of something else', ['11']],
    ['no list', 'all'],
  ])('%s: the whole batch comes again', (_, batchItemFailures) => {
    expect(outcome({ batchItemFailures })).toEqual({ done: 0, asAWhole: true });
  });

  test('a failed invocation: the whole batch comes again', () => {
    const error = { errorType: 'Error', errorMessage: 'x', trace: [] };
    expect(batchOutcome({ ok: false, error }, 't-0', [10], true)).toEqual({ done: 0, asAWhole: true });
  });

  test('an answer is not looked at where the mapping does not report failures', () => {
    const result = { ok: true, payload: { batchItemFailures: [item(10)] } } as const;
    expect(batchOutcome(result, 't-0', [10, 11], false)).toEqual({ done: 2, asAWhole: false });
  });
});
