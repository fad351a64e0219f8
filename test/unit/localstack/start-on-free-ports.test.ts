import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { startOnFreePorts } from '../../../localstack/start-on-free-ports.ts';

const folder = mkdtempSync(join(tmpdir(), 'stepline-start-'));
afterAll(() => rmSync(folder, { recursive: true }));

const TAKEN = 'java.net.BindException: Address already in use\n';

describe('a server whose port somebody took meanwhile', () => {
  it.each([
    ['Kafka', TAKEN],
    ['PostgreSQL', 'LOG:  could not bind IPv4 address "127.0.0.1": Address already in use\n'],
    ['MiniStack', '[ERROR] [Errno 98] error while attempting to bind on address: address already in use\n'],
  ])('is started again, with others, as %s tells it', async (name, line) => {
    const log = join(folder, name);
    const attempts: number[] = [];
    const started = await startOnFreePorts(log, async (attempt) => {
      attempts.push(attempt);
      if (attempt < 3) {
        appendFileSync(log, line);
        throw new Error('it did not start');
      }
      return 'running';
    });
    expect([started, attempts]).toEqual(['running', [1, 2, 3]]);
  });

  it('is not started for ever', async () => {
    const log = join(folder, 'ever');
    let attempts = 0;
    const starting = startOnFreePorts(log, async () => {
      appendFileSync(log, TAKEN);
      throw new Error(`attempt ${++attempts}`);
    });
    await expect(starting).rejects.toThrow('attempt 4');
  });

  it('is another one than that of an earlier start, which the log still has', async () => {
    const log = join(folder, 'earlier');
    writeFileSync(log, TAKEN);
    let attempts = 0;
    const starting = startOnFreePorts(log, async () => {
      appendFileSync(log, 'Out of memory\n');
      throw new Error(`attempt ${++attempts}`);
    });
    await expect(starting).rejects.toThrow('attempt 1');
  });
});
