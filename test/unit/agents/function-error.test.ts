import { describe, expect, it } from 'vitest';
import { readFunctionError } from '../../../shared/agents/read-function-error.ts';

const read = (payload: string | object) =>
  readFunctionError(Buffer.from(typeof payload === 'string' ? payload : JSON.stringify(payload))).error;

describe('what a function threw', () => {
  it.each<[string, object | string, { code: string; message: string; retryable: boolean }]>([
    [
      'an error of Node',
      { errorType: 'RangeError', errorMessage: 'out of range', trace: ['RangeError: out of range'] },
      { code: 'RangeError', message: 'out of range', retryable: true },
    ],
    [
      'an error of Python',
      { errorMessage: "'key'", errorType: 'KeyError', requestId: 'r', stackTrace: [] },
      { code: 'KeyError', message: "'key'", retryable: true },
    ],
    [
      'an end of its process',
      {
        errorType: 'Runtime.ExitError',
        errorMessage: 'RequestId: r Error: Runtime exited with error: signal: killed',
      },
      {
        code: 'Runtime.ExitError',
        message: 'RequestId: r Error: Runtime exited with error: signal: killed',
        retryable: true,
      },
    ],
    [
      'JSON that says it is final',
      {
        errorType: 'Error',
        errorMessage: '{"code":"BAD_SOURCE","message":"No such bucket","retryable":false}',
      },
      { code: 'BAD_SOURCE', message: 'No such bucket', retryable: false },
    ],
    [
      'JSON with a message only',
      { errorType: 'Error', errorMessage: '{"message":["a","b"]}' },
      { code: 'Error', message: '["a","b"]', retryable: true },
    ],
    [
      'JSON that says nothing of it',
      { errorType: 'Error', errorMessage: '{"bucket":"x","retryable":"no"}' },
      { code: 'Error', message: '{"bucket":"x","retryable":"no"}', retryable: true },
    ],
    [
      'a message that is no text',
      { errorType: 7, errorMessage: { a: 1 } },
      { code: '7', message: '{"a":1}', retryable: true },
    ],
    [
      'an empty object',
      {},
      { code: 'AGENT_ERROR', message: 'The function failed and said no more', retryable: true },
    ],
    [
      'no JSON',
      '<html>',
      { code: 'AGENT_ERROR', message: 'The function failed and said no more', retryable: true },
    ],
    [
      'nothing',
      '',
      { code: 'AGENT_ERROR', message: 'The function failed and said no more', retryable: true },
    ],
    [
      'control characters and lone surrogates',
      '{"errorType":"A\\u0000B\\n","errorMessage":"x\\u0000y\\ud800"}',
      { code: 'A B', message: 'xy\ufffd', retryable: true },
    ],
    [
      'a message nested too deep to be written again',
      `{"errorType":"X","errorMessage":${'['.repeat(100_000)}${']'.repeat(100_000)}}`,
      { code: 'X', message: 'The function failed and said no more', retryable: true },
    ],
    [
      '__proto__',
      '{"__proto__":{"errorType":"X","errorMessage":"Y"}}',
      { code: 'AGENT_ERROR', message: 'The function failed and said no more', retryable: true },
    ],
  ])('%s', (_, payload, error) => {
    expect(read(payload)).toEqual(error);
  });

  it('is cut to what is stored', () => {
    const { code, message } = read({ errorType: 'c'.repeat(300), errorMessage: 'm'.repeat(9_000) });
    expect([code.length, message.length]).toEqual([255, 4_000]);
  });
});

describe('its own end by', () => {
  it.each([
    { errorType: 'Sandbox.Timedout', errorMessage: 'RequestId: 1 Error: Task timed out after 3.00 seconds' },
    { errorMessage: '2026-01-01T00:00:00.000Z 8f9 Task timed out after 3.00 seconds' },
  ])('a timeout: %j', (payload) => {
    expect(read(payload)).toEqual({
      code: 'TIMEOUT',
      message: `The function was ended by its own timeout, which is set where it is deployed: ${payload.errorMessage}`,
      retryable: true,
    });
  });

  it('an error that only talks of one is that error', () => {
    const errorMessage = 'upstream: Task timed out after 3.00 seconds';
    expect(read({ errorType: 'UpstreamError', errorMessage }).code).toBe('UpstreamError');
  });

  it('an answer beyond Lambda’s limit is an output beyond ours', () => {
    expect(
      read({
        errorType: 'Function.ResponseSizeTooLarge',
        errorMessage: 'Response payload size exceeded maximum allowed payload size (6291556 bytes).',
      }),
    ).toMatchObject({ code: 'DATA_LIMIT', retryable: false });
  });
});
