import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DevFile } from '../../../localstack/cli/dev-file.ts';
import type { LocalStack } from '../../../localstack/local-stack.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stepline-dev-file-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('it has the processes that are there by now, until it is removed', async () => {
  const pids: Record<string, number> = { api: 1 };
  const stack = {
    url: 'http://127.0.0.1:8000',
    secrets: { apiKey: 'k', jwtSecret: 's' },
    servers: { databaseUrl: 'd', kafkaBrokers: 'b' },
    agents: {},
    pids: () => ({ ...pids }),
  } as unknown as LocalStack;
  const file = new DevFile(join(folder, 'dev.json'));
  const written = () => JSON.parse(readFileSync(file.path, 'utf8')).pids;

  // Functions start before there is anything to tell.
  await file.update();
  expect(readdirSync(folder)).toEqual([]);
  await file.write(stack);
  expect(written()).toEqual({ launcher: process.pid, api: 1 });
  pids.api = 2;
  await file.update();
  expect(written()).toEqual({ launcher: process.pid, api: 2 });
  pids.api = 3;
  const late = file.update();
  await file.remove();
  await late;
  // The functions that end with the stack.
  await file.update();
  expect(readdirSync(folder)).toEqual([]);
});
