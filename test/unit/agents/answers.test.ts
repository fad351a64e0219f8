import { describe, expect, it } from 'vitest';
import { readFailure } from '../../../shared/agents/read-failure.ts';
import { readAnswer, readOutput } from '../../../shared/agents/read-output.ts';
import { retryAfterMs } from '../../../shared/agents/retry-after.ts';
import { limits } from '../../../shared/config/limits.ts';

const now = Date.UTC(2026, 0, 1);
/** Can be parsed, and not be written again. */
const DEEP = '['.repeat(30_000) + ']'.repeat(30_000);

describe('the body of a 2xx', () => {
  it.each<[string, unknown]>([
    ['{"rows":[1,2.5,"x",null,true]}', { rows: [1, 2.5, 'x', null, true] }],
    ['null', null],
    ['[]', []],
    ['"text"', 'text'],
    [' 7\n', 7],
    ['', null],
    [' \t\r\n', null],
    ['\uFEFF', null],
    ['\uFEFF \n', null],
    ['\uFEFF{"bom":true}', { bom: true }],
    [`"${'x'.repeat(limits.maxPayloadBytes - 2)}"`, 'x'.repeat(limits.maxPayloadBytes - 2)],
  ])('%.30s is the output', (text, output) => {
    expect(readOutput(Buffer.from(text))).toEqual({ status: 'completed', output, logs: null });
  });

  it.each<[string, string | Buffer, string]>([
    ['text', 'done', 'AGENT_ANSWER_NOT_JSON'],
    ['HTML', '<html></html>', 'AGENT_ANSWER_NOT_JSON'],
    ['a byte order mark that is not the first', ' \uFEFF', 'AGENT_ANSWER_NOT_JSON'],
    ['a blank that JSON does not have', '\u00a0', 'AGENT_ANSWER_NOT_JSON'],
    ['UTF-16', Buffer.from('\uFEFF{}', 'utf16le'), 'AGENT_ANSWER_NOT_JSON'],
    ['cut JSON', '{"a":', 'AGENT_ANSWER_NOT_JSON'],
    ['NaN', '{"a":NaN}', 'AGENT_ANSWER_NOT_JSON'],
    ['two values', '{}{}', 'AGENT_ANSWER_NOT_JSON'],
    ['Latin-1', Buffer.from('"\xfc"', 'latin1'), 'AGENT_ANSWER_NOT_JSON'],
    ['gzip', Buffer.from([0x1f, 0x8b, 8, 0]), 'AGENT_ANSWER_NOT_JSON'],
    ['too large', `"${'x'.repeat(limits.maxPayloadBytes)}"`, 'DATA_LIMIT'],
    ['too large in bytes only', `"${'ü'.repeat(limits.maxPayloadBytes / 2)}"`, 'DATA_LIMIT'],
    ['too deep', '['.repeat(101) + ']'.repeat(101), 'TOO_DEEP'],
    ['far too deep', '['.repeat(100_000) + ']'.repeat(100_000), 'TOO_DEEP'],
    ['too many entries', `[${'0,'.repeat(50_000)}0]`, 'TOO_MANY_ENTRIES'],
    ['U+0000', '{"a":"\\u0000"}', 'UNSTORABLE'],
    ['a lone surrogate', '{"a":"\\ud800"}', 'UNSTORABLE'],
    ['beyond a double', '{"a":1e400}', 'UNSTORABLE'],
    ['__proto__', '{"__proto__":{}}', 'UNSTORABLE'],
    ['a key with U+0000', '{"\\u0000":1}', 'UNSTORABLE'],
  ])('that is %s fails for good', (_, body, code) => {
    const outcome = readOutput(Buffer.from(body));
    expect(outcome).toMatchObject({ status: 'failed', error: { code, retryable: false } });
  });

  const typed = (body: string | Buffer, contentType: string) =>
    readAnswer({ body: Buffer.from(body), contentType, contentEncoding: null });

  it.each<[string, string | Buffer]>([
    ['application/json', '"ü"'],
    ['application/json; charset=UTF-8', '"ü"'],
    ['application/json;charset="utf8"', '"ü"'],
    ['text/plain; charset=us-ascii', '"ü"'],
  ])('of %s is UTF-8', (contentType, body) => {
    expect(typed(body, contentType)).toMatchObject({ output: 'ü' });
  });

  it('in another charset is read where it has only letters that most have', () => {
    expect(typed('"plain"', 'application/json; charset=iso-8859-1')).toMatchObject({ output: 'plain' });
  });

  it.each<[string, Buffer]>([
    ['iso-8859-1', Buffer.from('"ü"', 'latin1')],
    // Valid UTF-8, of another meaning.
    ['windows-1252', Buffer.from('"Ã¼"', 'latin1')],
    ['utf-16', Buffer.from('"x"', 'utf16le')],
  ])('in %s fails for good, and names it', (charset, body) => {
    expect(typed(body, `application/json; charset=${charset.toUpperCase()}`)).toMatchObject({
      error: {
        code: 'AGENT_ANSWER_NOT_JSON',
        message: expect.stringMatching(new RegExp(`got charset ${charset}$`)),
        retryable: false,
      },
    });
  });

  it('says where it is wrong', () => {
    expect(readOutput(Buffer.from('{"a":[{"b":1e400}]}'))).toMatchObject({
      error: {
        message: expect.stringMatching(/^The agent's answer cannot be used: at a\.0\.b: expected a number/),
      },
    });
  });
});

function failure(status: number, body: string | Buffer = '', headers: Record<string, string> = {}) {
  const { contentType = null, contentEncoding = null, retryAfter = null, location = null } = headers;
  const outcome = readFailure(
    { status, body: Buffer.from(body), contentType, contentEncoding, retryAfter, location },
    now,
  );
  return outcome.error;
}

describe('a failed answer', () => {
  it.each([
    [408, true],
    [425, true],
    [429, true],
    [500, true],
    [502, true],
    [503, true],
    [504, true],
    [599, true],
    [400, false],
    [401, false],
    [403, false],
    [404, false],
    [409, false],
    [410, false],
    [413, false],
    [422, false],
    [499, false],
    [600, false],
    [999, false],
  ])('with status %i: retryable %s', (status, retryable) => {
    expect(failure(status)).toMatchObject({ code: 'AGENT_ERROR', retryable });
  });

  it.each([300, 301, 302, 303, 304, 307, 308])(
    'with status %i is a redirect that is not followed',
    (status) => {
      expect(failure(status, '{"code":"X"}', { location: 'https://elsewhere.test/' })).toEqual({
        code: 'AGENT_REDIRECTED',
        message: `The agent answered ${status}, a redirect to https://elsewhere.test/. Redirects are not followed: register the address that answers.`,
        retryable: false,
      });
    },
  );

  it.each<[string, string, string, string]>([
    ['code and message', '{"code":"QUOTA","message":"no more"}', 'QUOTA', 'no more'],
    ['message alone', '{"message":"no more"}', 'AGENT_ERROR', 'no more'],
    ['code alone', '{"code":"QUOTA"}', 'QUOTA', 'The agent answered 500 Internal Server Error'],
    ['error as text', '{"error":"no more"}', 'AGENT_ERROR', 'no more'],
    ['error as an object', '{"error":{"code":"QUOTA","message":"no more"}}', 'QUOTA', 'no more'],
    ['error text beside a code', '{"error":"no more","code":"QUOTA"}', 'QUOTA', 'no more'],
    [
      'problem+json',
      '{"type":"https://x.test/quota","title":"Quota","detail":"no more"}',
      'https://x.test/quota',
      'no more',
    ],
    ['problem+json with a title', '{"type":"about:blank","title":"Quota"}', 'AGENT_ERROR', 'Quota'],
    [
      'detail as a list',
      '{"detail":[{"loc":["a"],"msg":"missing"}]}',
      'AGENT_ERROR',
      '[{"loc":["a"],"msg":"missing"}]',
    ],
    ['a type that is no problem', '{"type":"error","message":"no more"}', 'AGENT_ERROR', 'no more'],
    ['a number as code', '{"code":42,"message":"no more"}', '42', 'no more'],
    ['a code of another type', '{"code":{"a":1},"message":"no more"}', 'AGENT_ERROR', 'no more'],
    [
      'a blank code and message',
      '{"code":" ","message":""}',
      'AGENT_ERROR',
      'The agent answered 500 Internal Server Error',
    ],
    ['a message as an object', '{"message":{"a":1}}', 'AGENT_ERROR', '{"a":1}'],
    ['a JSON string', '"no more"', 'AGENT_ERROR', 'no more'],
    ['a JSON number', '17', 'AGENT_ERROR', '17'],
    ['a JSON array', '["no","more"]', 'AGENT_ERROR', '["no","more"]'],
    ['true', 'true', 'AGENT_ERROR', 'true'],
    ['null', 'null', 'AGENT_ERROR', 'The agent answered 500 Internal Server Error'],
    ['too deep a list', DEEP, 'AGENT_ERROR', 'The agent answered 500 Internal Server Error'],
    [
      'too deep a message',
      `{"code":"C","message":${DEEP}}`,
      'C',
      'The agent answered 500 Internal Server Error',
    ],
    ['nothing', '', 'AGENT_ERROR', 'The agent answered 500 Internal Server Error'],
    ['plain text', 'no more\n', 'AGENT_ERROR', 'The agent answered 500 Internal Server Error: no more'],
    ['HTML', '<html>no more</html>', 'AGENT_ERROR', 'The agent answered 500 Internal Server Error'],
    ['control characters', '{"code":"A\\u0000B\\nC","message":"x\\u0000y\\nz"}', 'A B C', 'xy\nz'],
    ['lone surrogates', '{"code":"\\ud800","message":"\\udfff"}', '\ufffd', '\ufffd'],
  ])('says %s', (_, body, code, message) => {
    expect(failure(500, body)).toEqual({ code, message, retryable: true });
  });

  it('is cut to what is stored', () => {
    const { code, message } = failure(
      400,
      JSON.stringify({ code: 'c'.repeat(300), message: `${'m'.repeat(3_999)}🔑` }),
    );
    expect([code.length, message.length]).toEqual([255, 3_999]);
    expect(message.isWellFormed()).toBe(true);
  });

  it('is waited for as it asks, where it can be repeated', () => {
    expect(failure(503, '', { retryAfter: '2' }).retry_after_ms).toBe(2_000);
    expect(failure(429, '', { retryAfter: 'Thu, 01 Jan 2026 00:00:30 GMT' }).retry_after_ms).toBe(30_000);
    expect(failure(400, '', { retryAfter: '2' })).not.toHaveProperty('retry_after_ms');
    expect(failure(503)).not.toHaveProperty('retry_after_ms');
  });
});

describe('Retry-After', () => {
  it.each<[string | null, number | undefined]>([
    ['0', 0],
    ['120', 120_000],
    [' 5 ', 5_000],
    ['86400', 86_400_000],
    ['999999999999999999999', 86_400_000],
    ['Thu, 01 Jan 2026 00:01:00 GMT', 60_000],
    ['Thursday, 01-Jan-26 00:01:00 GMT', 60_000],
    // At most fifty years ahead, else the last century's.
    ['Friday, 01-Jan-77 00:00:00 GMT', undefined],
    ['Saturday, 01-Jan-77 00:00:00 GMT', 0],
    ['Thu, 31 Dec 2025 23:59:60 GMT', undefined],
    ['Wed, 31 Dec 2025 23:59:60 GMT', 0],
    ['Thu, 01 Jan 2026 00:01:60 GMT', undefined],
    ['Tue, 31 Feb 2026 00:00:00 GMT', undefined],
    ['Sun, 29 Feb 2026 00:00:00 GMT', undefined],
    ['Fri, 01 Jan 2026 00:01:00 GMT', undefined],
    ['Thu, 01 Jan 2026 24:00:00 GMT', undefined],
    ['Thu, 01 Jan 2026 00:60:00 GMT', undefined],
    ['Thu, 01 Jan 2026 00:01:00', undefined],
    ['Thu, 01 Jan 2026 00:01:00 +0200', undefined],
    ['Thu, 01 Jan 2026 00:01:00 UTC', undefined],
    ['Thu, 01 Jan 2026 00:01:00 gmt', undefined],
    ['Thu, 1 Jan 2026 00:01:00 GMT', undefined],
    ['Thu,  01 Jan 2026 00:01:00 GMT', undefined],
    ['Thu Jan 1 00:01:00 2026', undefined],
    ['Thu Jan  1 00:01:00 2026 GMT', undefined],
    ['thu, 01 jan 2026 00:01:00 GMT', undefined],
    ['3, 5', undefined],
    ['\u00a05', undefined],
    ['Fri, 01 Jan 2027 00:00:00 GMT', 86_400_000],
    ['Thu Jan  1 00:01:00 2026', 60_000],
    ['Wed, 31 Dec 2025 23:59:00 GMT', 0],
    [null, undefined],
    ['', undefined],
    ['soon', undefined],
    ['-1', undefined],
    ['1.5', undefined],
    ['1e3', undefined],
    ['2026-01-01', undefined],
    ['Thu, nonsense', undefined],
  ])('%j is %s ms', (header, expected) => {
    expect(retryAfterMs(header, now)).toBe(expected);
  });
});
