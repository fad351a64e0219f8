import { describe, expect, it } from 'vitest';
import { type Answer, type AnyAnswer, resultOf, resultOfError } from '../../../functions/api/http/answer.ts';
import { ApiError, badRequest } from '../../../functions/api/http/api-error.ts';
import { fittingItems, nextPageLink } from '../../../functions/api/paging/page-answer.ts';

const answer: Answer = { status: 200, message: 'Run retrieved', data: { a: 1 }, isFinal: true };

describe('an answer about what has ended', () => {
  const etagOf = (given: AnyAnswer) => String(resultOf(given, 'r-1').headers?.ETag);

  it('has an ETag of what it says, and may be kept by the caller', () => {
    const { headers, statusCode } = resultOf(answer, 'r-1');
    expect(statusCode).toBe(200);
    expect(headers).toMatchObject({
      ETag: expect.stringMatching(/^"[\w-]{43}"$/),
      'Cache-Control': 'private, no-cache',
      Vary: 'Authorization, X-API-Key',
    });
    expect(etagOf({ ...answer, data: { a: 2 } })).not.toBe(etagOf(answer));
    expect(etagOf({ status: 200, plain: { a: 1 }, isFinal: true })).not.toBe(etagOf(answer));
  });

  it.each([
    ['the tag', (tag: string) => tag, 304],
    ['the tag, weakened on the way', (tag: string) => `W/${tag}`, 304],
    ['one of several', (tag: string) => `"other", ${tag}`, 304],
    ['whatever there is', () => '*', 304],
    ['another', () => '"other"', 200],
    ['the tag without quotes', (tag: string) => tag.slice(1, -1), 200],
    ['nothing', () => '', 200],
  ])('asked with %s', (_what, given, status) => {
    const tag = etagOf(answer);
    const result = resultOf(answer, 'r-1', given(tag));
    expect(result.statusCode).toBe(status);
    expect(result.headers?.ETag).toBe(tag);
    expect(result.body === '').toBe(status === 304);
  });

  it('is the only one with a tag', () => {
    const open = resultOf({ ...answer, isFinal: false }, 'r-1', '*');
    expect(open.statusCode).toBe(200);
    expect(open.headers).not.toHaveProperty('ETag');
    expect(open.headers?.['Cache-Control']).toBe('no-store');
  });
});

describe('a text', () => {
  const text = { status: 200, text: 'a', contentType: 'text/plain' } as const;

  it('is sent as it is, and not kept', () => {
    const { body, headers } = resultOf(text, 'r-1', '*');
    expect(body).toBe('a');
    expect(headers).toMatchObject({ 'Content-Type': 'text/plain', 'Cache-Control': 'no-store' });
    expect(headers).not.toHaveProperty('ETag');
  });

  it('that is the same for everybody is kept by anybody', () => {
    const { headers } = resultOf({ ...text, isPublic: true }, 'r-1');
    expect(headers).toMatchObject({ 'Cache-Control': 'public, max-age=300', ETag: expect.any(String) });
    expect(headers).not.toHaveProperty('Vary');
    const again = resultOf({ ...text, isPublic: true }, 'r-1', String(headers?.ETag));
    expect([again.statusCode, again.body]).toEqual([304, '']);
  });

  it('may have a security policy of its own', () => {
    const policy = { 'Content-Security-Policy': "default-src 'self'" };
    expect(resultOf({ ...text, headers: policy }, 'r-1').headers).toMatchObject(policy);
  });
});

describe('the plain face', () => {
  it('answers with the thing itself', () => {
    expect(resultOf({ status: 200, plain: [1] }, 'r-1').body).toBe('[1]');
  });

  it('tells errors as a text and a code, every bad field in it', () => {
    const problems = ['a', 'b', 'c', 'd'].map((path) => ({ path, message: 'expected text' }));
    const bodyOf = (error: ApiError) => JSON.parse(resultOfError(error, 'r-1', true).body);
    expect(bodyOf(badRequest(problems))).toEqual({
      detail: 'Invalid request: a: expected text; b: expected text; c: expected text; d: expected text',
      error_code: 'BAD_REQUEST',
    });
    expect(bodyOf(new ApiError('NOT_FOUND', 'Execution not found'))).toEqual({
      detail: 'Execution not found',
      error_code: 'NOT_FOUND',
    });
    const refused = new ApiError('BAD_REQUEST', 'The run has ended already', {
      details: { reason: 'RUN_CLOSED' },
    });
    expect(bodyOf(refused).detail).toBe('The run has ended already');
  });
});

describe('a bare list', () => {
  it('has as many items as an answer can carry, one at least', () => {
    const big = { text: 'x'.repeat(1_000_000) };
    expect(fittingItems([big, big, big, big])).toHaveLength(2);
    expect(fittingItems([{ text: 'x'.repeat(3_000_000) }, big])).toHaveLength(1);
    expect(fittingItems([1, 2, 3])).toEqual([1, 2, 3]);
    expect(fittingItems([])).toEqual([]);
  });

  it('says in a header where it goes on', () => {
    expect(nextPageLink('/api/x', { q: 'a b&c', none: undefined, offset: 20 })).toEqual({
      Link: '</api/x?q=a+b%26c&offset=20>; rel="next"',
    });
  });
});
