import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from './mapping-harness.ts';

const launcher = fileURLToPath(new URL('./fixtures/dies-at-once.ts', import.meta.url));
let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'stepline-early-death-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

function isRunning(pidFile: string): boolean {
  const pid = existsSync(pidFile) ? Number.parseInt(readFileSync(pidFile, 'utf8'), 10) : Number.NaN;
  if (Number.isNaN(pid)) return false;
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test('a launcher that dies before its guardian runs leaves neither servers nor folders', async () => {
  const folder = join(root, 'data');
  const pidFile = join(root, 'pid');
  mkdirSync(folder);
  const child = spawn(process.execPath, [launcher, folder, pidFile], { stdio: 'inherit' });
  const [, signal] = await once(child, 'exit');
  expect(signal).toBe('SIGKILL');
  await until(() => !existsSync(folder));
  await until(() => !isRunning(pidFile));
});
