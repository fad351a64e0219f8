import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { decodeBody } from '../../../shared/agents/content-encoding.ts';
import { readFailure } from '../../../shared/agents/read-failure.ts';
import { readAnswer } from '../../../shared/agents/read-output.ts';
import { limits } from '../../../shared/config/limits.ts';

type Encode = (body: Buffer) => Buffer;
const codings: [coding: string, encode: Encode][] = [
  ['gzip', gzipSync],
  ['x-gzip', gzipSync],
  ['GZIP', gzipSync],
  ['deflate', deflateSync],
  // Without zlib's frame, as some send it.
  ['deflate', deflateRawSync],
  ['br', brotliCompressSync],
  ['zstd', zstdCompressSync],
  ['identity', (body) => body],
  ['deflate, gzip', (body) => gzipSync(deflateSync(body))],
  [' ,identity, br', brotliCompressSync],
];

const answer = (body: Buffer, contentEncoding: string | null) =>
  readAnswer({ contentType: 'application/json', contentEncoding, body });
const failure = (status: number, body: Buffer, contentEncoding: string) =>
  readFailure({ status, contentType: null, contentEncoding, retryAfter: null, location: null, body }, 0);

describe('an answer', () => {
  it.each(codings)('in %s is decoded, an error too', (coding, encode) => {
    expect(answer(encode(Buffer.from('{"rows":3}')), coding)).toMatchObject({ output: { rows: 3 } });
    const error = encode(Buffer.from('{"code":"QUOTA","message":"no more"}'));
    expect(failure(422, error, coding).error).toMatchObject({ code: 'QUOTA', message: 'no more' });
  });

  it.each(codings)('in %s without a body is null', (coding) => {
    expect(answer(Buffer.alloc(0), coding)).toMatchObject({ status: 'completed', output: null });
  });

  it.each(codings.filter(([coding]) => coding !== 'identity'))(
    'in %s may be of the limit and no more',
    (coding, encode) => {
      const text = (bytes: number) => encode(Buffer.from(`"${'x'.repeat(bytes - 2)}"`));
      expect(answer(text(limits.maxPayloadBytes), coding).status).toBe('completed');
      expect(answer(text(limits.maxPayloadBytes + 1), coding)).toMatchObject({
        error: { code: 'DATA_LIMIT', retryable: false },
      });
    },
  );

  it.each([
    ['gzip', gzipSync],
    ['br', brotliCompressSync],
    ['zstd', zstdCompressSync],
  ])('that swells in %s costs no more than the limit', (coding, encode) => {
    const bomb = encode(Buffer.alloc(64 * 1024 * 1024));
    expect(decodeBody(bomb, coding, { maxBytes: 1_000 })).toEqual({ ok: false, code: 'TOO_LARGE', coding });
  });

  it.each(['gzip', 'deflate', 'br', 'zstd'])(
    'that is not in its %s fails for good, and names it',
    (coding) => {
      for (const body of ['{"rows":3}', '\u0000']) {
        expect(answer(Buffer.from(body), coding)).toMatchObject({
          error: {
            code: 'AGENT_ANSWER_NOT_JSON',
            message: `The agent's answer cannot be used: expected a body in its Content-Encoding ${coding}, got another`,
            retryable: false,
          },
        });
      }
    },
  );

  it.each([
    ['gzip', gzipSync],
    ['br', brotliCompressSync],
    ['zstd', zstdCompressSync],
  ])('in %s that was cut is not taken', (coding, encode) => {
    expect(answer(encode(Buffer.from('{"rows":3}')).subarray(0, -4), coding)).toMatchObject({
      status: 'failed',
    });
  });

  it.each(['compress', 'aws-chunked', '__proto__', 'toString', 'gzip, x'])(
    'in %s fails for good, and names it',
    (coding) => {
      expect(answer(Buffer.from('{}'), coding)).toMatchObject({
        error: {
          code: 'AGENT_ANSWER_NOT_JSON',
          message: `The agent's answer cannot be used: expected no Content-Encoding but gzip, deflate, br, zstd, got ${coding.split(', ').at(-1)?.toLowerCase()}`,
          retryable: false,
        },
      });
      expect(failure(503, Buffer.from('{"code":"X"}'), coding).error).toMatchObject({
        code: 'AGENT_ERROR',
        message: expect.stringContaining(
          'answered 503 Service Unavailable, and its body cannot be read: Content-Encoding',
        ),
        retryable: true,
      });
    },
  );

  it('in more codings than anybody needs is not begun with', () => {
    expect(decodeBody(Buffer.from('x'), 'gzip,'.repeat(1_000), { maxBytes: 10 })).toMatchObject({
      code: 'UNKNOWN',
    });
  });
});

describe('an error that was cut', () => {
  it.each([
    ['gzip', gzipSync],
    ['deflate', deflateRawSync],
    ['br', brotliCompressSync],
  ])('in %s says what came', (coding, encode) => {
    const text = Array.from({ length: 5_000 }, (_, i) => `line ${i * 7919}`).join('\n');
    const { message } = failure(500, encode(Buffer.from(text)).subarray(0, -500), coding).error;
    expect(message).toContain('The agent answered 500 Internal Server Error: line 0\nline 7919\n');
  });
});
