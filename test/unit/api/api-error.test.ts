import { describe, expect, it } from 'vitest';
import { badRequest, tooLarge } from '../../../functions/api/http/api-error.ts';

const problem = { path: 'p'.repeat(1_000_000), message: 'm'.repeat(1_000_000) };

describe('what was sent comes back in an error', () => {
  it('cut, however much of it is wrong', () => {
    for (const { message, details } of [badRequest(Array(500).fill(problem)), tooLarge([problem])]) {
      expect(message.length).toBeLessThan(5_000);
      expect(JSON.stringify(details).length).toBeLessThan(200_000);
    }
  });

  it('as it is where it is short, and says how much more there is', () => {
    const problems = ['a', 'b', 'c', 'd', 'e'].map((path) => ({ path, message: 'expected text' }));
    const { message, details } = badRequest(problems);
    expect(message).toBe('Invalid request: a: expected text; b: expected text; c: expected text; and 2 more');
    expect(details).toEqual(problems);
  });
});
