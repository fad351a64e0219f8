import { cpuSecondsOfTree } from './processes.ts';
import type { countStatements } from './statement-count.ts';

/** What some work took. */
export interface Cost {
  readonly seconds: number;
  readonly statements: number;
  readonly commits: number;
  /** Milliseconds of CPU by process; null where the platform does not tell. */
  readonly cpuMs: Readonly<Record<string, number | null>>;
}

export interface Meters {
  readonly statements: ReturnType<typeof countStatements>;
  readonly pids: Readonly<Record<string, number>>;
}

/** @param unit what the cost is divided by: the work's steps, or runs */
export async function measureCost(
  { statements: counted, pids }: Meters,
  unit: number,
  work: () => Promise<unknown>,
): Promise<Cost> {
  const before = { ...counted, cpu: readCpuMs(pids) };
  const began = performance.now();
  await work();
  const seconds = (performance.now() - began) / 1_000;
  const cpu = readCpuMs(pids);
  const spent = Object.entries(cpu).map(([name, value]) => {
    const earlier = before.cpu[name] ?? null;
    return [name, value === null || earlier === null ? null : (value - earlier) / unit] as const;
  });
  return {
    seconds: seconds / unit,
    statements: (counted.statements - before.statements) / unit,
    commits: (counted.commits - before.commits) / unit,
    cpuMs: Object.fromEntries(spent),
  };
}

/** Of all processes; null where the platform does not tell. The agents' own work is none of the engine's. */
export function cpuMsOf({ cpuMs }: Cost): number | null {
  const spent = Object.entries(cpuMs).flatMap(([name, value]) => (name === 'agents' ? [] : [value]));
  return spent.reduce((sum, value) => (sum === null || value === null ? null : sum + value), 0);
}

function readCpuMs(pids: Readonly<Record<string, number>>): Record<string, number | null> {
  const own = process.cpuUsage();
  const others = Object.entries(pids).map(([name, pid]) => {
    const seconds = cpuSecondsOfTree(pid);
    return [name, seconds === null ? null : seconds * 1_000] as const;
  });
  return { node: (own.user + own.system) / 1_000, ...Object.fromEntries(others) };
}
