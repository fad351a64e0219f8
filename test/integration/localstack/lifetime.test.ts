import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { until } from './mapping-harness.ts';

const launcher = fileURLToPath(new URL('./fixtures/launcher.ts', import.meta.url));

interface Launched {
  process: ChildProcess;
  folder: string;
  /** Of the servers, the functions, the guardian and the server's own children. */
  pids: number[];
}

async function launch(): Promise<Launched> {
  const child = spawn(process.execPath, [launcher], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const { folder, pids } = JSON.parse(line) as { folder: string; pids: number[] };
  expect(pids).toHaveLength(4);
  const descendants = descendantsOf(child.pid ?? 0);
  expect(descendants).toEqual(expect.arrayContaining(pids));
  return { process: child, folder, pids: descendants };
}

function descendantsOf(root: number): number[] {
  const rows = execFileSync('ps', ['-eo', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n');
  const parents = new Map(rows.map((row) => row.trim().split(/\s+/).map(Number) as [number, number]));
  const below = (pid: number): boolean => {
    const parent = parents.get(pid);
    return parent !== undefined && (parent === root || below(parent));
  };
  return [...parents.keys()].filter(below);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test.each(['SIGKILL', 'SIGTERM'] as const)(
  'after %s to the launcher no process and no folder is left',
  async (signal) => {
    const launched = await launch();
    expect(launched.pids.every(isAlive)).toBe(true);
    launched.process.kill(signal);
    await until(() => !launched.pids.some(isAlive) && !existsSync(launched.folder));
  },
);
