import { describe, expect, it } from 'vitest';
import { AnswerHeads } from '../../../shared/agents/answer-heads.ts';

const FINAL = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}';

/** What the parser gets of an answer that comes in pieces of so many bytes. */
function read(answer: string, size = answer.length, heads = new AnswerHeads()): string {
  heads.expect();
  const bytes = Buffer.from(answer, 'latin1');
  let read = '';
  for (let at = 0; at < bytes.length; at += size) {
    read += heads.take(bytes.subarray(at, at + size))?.toString('latin1') ?? '';
  }
  return read;
}

const everySize = (answer: string) => Array.from({ length: answer.length }, (_, i) => i + 1);

describe('the head of an answer', () => {
  it.each<[string, string, string]>([
    ['nothing before it', FINAL, FINAL],
    ['100 before it', `HTTP/1.1 100 Continue\r\n\r\n${FINAL}`, FINAL],
    ['100 with a header before it', `HTTP/1.1 100 Continue\r\nX: y\r\n\r\n${FINAL}`, FINAL],
    ['HTTP/1.0 100 before it', `HTTP/1.0 100 \r\n\r\n${FINAL}`, FINAL],
    [
      'several before it',
      `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 199 x\r\n\r\n${FINAL}`,
      FINAL,
    ],
    [
      'folded lines',
      'HTTP/1.1 200 OK\r\nX-A: one\r\n two\r\n\t three\r\nContent-Length:\r\n 2\r\n\r\n{}',
      'HTTP/1.1 200 OK\r\nX-A: one two three\r\nContent-Length: 2\r\n\r\n{}',
    ],
    [
      'letters of Latin-1',
      'HTTP/1.1 200 \xfc\r\nX: \xe4\r\n\r\n\xff',
      'HTTP/1.1 200 \xfc\r\nX: \xe4\r\n\r\n\xff',
    ],
    // What follows is the body, whatever it looks like.
    [
      'a body like a head',
      'HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nA: b\r\n c\r\n\r\n',
      'HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nA: b\r\n c\r\n\r\n',
    ],
    ['no HTTP at all', 'SSH-2.0-OpenSSH\r\n', 'SSH-2.0-OpenSSH\r\n'],
    ['lines that end otherwise', 'HTTP/1.1 200 OK\nX: y\n\n{}', 'HTTP/1.1 200 OK\nX: y\n\n{}'],
  ])('with %s, in pieces of any size', (_, answer, expected) => {
    for (const size of everySize(answer)) expect(read(answer, size)).toBe(expected);
  });

  it('is read once for each request', () => {
    const heads = new AnswerHeads();
    expect(read(`HTTP/1.1 100 Continue\r\n\r\n${FINAL}`, 7, heads)).toBe(FINAL);
    expect(read(`HTTP/1.1 100 Continue\r\n\r\n${FINAL}`, 7, heads)).toBe(FINAL);
  });

  it('that nobody asked for is the parser’s to refuse', () => {
    const stray = Buffer.from('HTTP/1.1 100 Continue\r\n\r\n');
    expect(new AnswerHeads().take(stray)).toBe(stray);
  });

  it('that has no end is held no longer than the parser would read it', () => {
    const answer = `HTTP/1.1 200 OK\r\n${`a: ${'b'.repeat(100)}\r\n`.repeat(300)}`;
    expect(read(answer, 1_000)).toBe(answer);
  });

  it('is said at once where it changes the protocol', () => {
    expect(() => read('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n')).toThrow(
      expect.objectContaining({ code: 'AGENT_SWITCHED_PROTOCOLS' }),
    );
  });
});
