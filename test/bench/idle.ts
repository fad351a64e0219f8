import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../localstack/ports.ts';
import { projectFolder, withCompileCache } from '../../localstack/project-folder.ts';
import { cpuSecondsOfTree } from './cpu.ts';

const groups = ['broker', 'stack', 'functions', 'postgres'] as const;

export interface IdleCost {
  /** Of one core, by who computes. `stack` is the launcher with its pollers, the guardian and the demo agents. */
  readonly cpuPercent: Readonly<Record<(typeof groups)[number] | 'all', number>>;
  /** Of all processes together; what they share counts once. */
  readonly pssMiB: number;
}

/** Until compilers and the first look of the timekeeper are done. */
const SETTLE_MS = 60_000;
const MEASURE_MS = 60_000;
const dev = fileURLToPath(new URL('../../localstack/cli/dev.ts', import.meta.url));

/** What a stack costs that `npm run dev` has started and nobody uses; null where there is no /proc. */
export async function measureIdle(): Promise<IdleCost | null> {
  if (cpuSecondsOfTree(process.pid) === null) return null;
  const folder = await mkdtemp(join(tmpdir(), 'stepline-idle-'));
  const launcher = await startDev(folder);
  try {
    const { pids } = JSON.parse(await readFile(join(folder, 'dev.json'), 'utf8')) as {
      pids: Record<string, number>;
    };
    await sleep(SETTLE_MS);
    const before = cpuSeconds(launcher.pid as number, pids);
    const begunAt = performance.now();
    await sleep(MEASURE_MS);
    const after = cpuSeconds(launcher.pid as number, pids);
    const percent = (group: keyof IdleCost['cpuPercent']) =>
      ((after[group] - before[group]) * 100_000) / (performance.now() - begunAt);
    return {
      cpuPercent: {
        broker: percent('broker'),
        stack: percent('stack'),
        functions: percent('functions'),
        postgres: percent('postgres'),
        all: percent('all'),
      },
      pssMiB: pssMiBOfTree(launcher.pid as number),
    };
  } finally {
    launcher.kill('SIGINT');
    if (launcher.exitCode === null) await new Promise((resolve) => launcher.once('exit', resolve));
    await rm(folder, { recursive: true, force: true });
  }
}

async function startDev(folder: string): Promise<ChildProcess> {
  const { PATH, HOME, JAVA_HOME } = process.env;
  const env = { PATH, HOME, ...(JAVA_HOME && { JAVA_HOME }), ...withCompileCache };
  const launcher = spawn(process.execPath, [dev, '--folder', folder], {
    cwd: projectFolder,
    env: { ...env, PORT: String(await freePort()) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const line of createInterface({ input: launcher.stdout })) {
    if (!line.startsWith('ready ')) continue;
    launcher.stdout.resume();
    return launcher;
  }
  throw new Error('The stack did not start');
}

const servers = new Set(['launcher', 'postgres', 'kafka', 'agents']);

function cpuSeconds(launcher: number, pids: Readonly<Record<string, number>>): IdleCost['cpuPercent'] {
  const of = (pid: number | undefined) => (pid === undefined ? 0 : (cpuSecondsOfTree(pid) ?? 0));
  const all = of(launcher);
  const [broker, postgres] = [of(pids.kafka), of(pids.postgres)];
  const functions = Object.entries(pids).reduce(
    (sum, [name, pid]) => sum + (servers.has(name) ? 0 : of(pid)),
    0,
  );
  return { all, broker, postgres, functions, stack: all - broker - postgres - functions };
}

function pssMiBOfTree(launcher: number): number {
  const parents = new Map(
    readdirSync('/proc').flatMap((name): [number, number][] => {
      const parent = /^\d+$/.test(name)
        ? read(`/proc/${name}/stat`)
            .replace(/^.*\) /s, '')
            .split(' ')[1]
        : undefined;
      return parent === undefined ? [] : [[Number(name), Number(parent)]];
    }),
  );
  const isOfTree = (pid: number | undefined): boolean =>
    pid !== undefined && (pid === launcher || isOfTree(parents.get(pid)));
  const kibibytes = [...parents.keys()]
    .filter(isOfTree)
    .map((pid) => Number(/^Pss:\s+(\d+)/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0));
  return kibibytes.reduce((sum, each) => sum + each, 0) / 1024;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // It has ended.
    return '';
  }
}

if (import.meta.main) console.log(await measureIdle());
