import { readdirSync, readFileSync } from 'node:fs';

const TICKS_PER_SECOND = 100;

/** CPU seconds of a process and all its children so far; Linux only, elsewhere null. */
export function cpuSecondsOfTree(rootPid: number): number | null {
  return sumOfTree(rootPid, ({ seconds }) => seconds);
}

/** Memory of a process and all its children, what they share counted once; Linux only, elsewhere null. */
export function memoryMibOfTree(rootPid: number): number | null {
  return sumOfTree(rootPid, ({ pid }) => memoryMib(pid));
}

interface ProcessStat {
  readonly pid: number;
  readonly parent: number;
  readonly seconds: number;
}

function sumOfTree(rootPid: number, figureOf: (stat: ProcessStat) => number): number | null {
  try {
    const stats = readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap((pid) => readStat(Number(pid)) ?? []);
    const wanted = new Set([rootPid]);
    // Children follow their parents in no order: go on until nobody is added.
    for (let size = 0; size !== wanted.size; ) {
      size = wanted.size;
      for (const { pid, parent } of stats) if (wanted.has(parent)) wanted.add(pid);
    }
    return stats.reduce((sum, stat) => sum + (wanted.has(stat.pid) ? figureOf(stat) : 0), 0);
  } catch {
    return null;
  }
}

function readStat(pid: number): ProcessStat | null {
  try {
    // The name in parentheses may hold spaces: count the fields from behind it.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    const ticks = [11, 12, 13, 14].map((i) => Number(fields[i]));
    return { pid, parent: Number(fields[1]), seconds: ticks.reduce((a, b) => a + b, 0) / TICKS_PER_SECOND };
  } catch {
    return null;
  }
}

function memoryMib(pid: number): number {
  try {
    const [, kib] = /^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')) ?? [];
    return Number(kib ?? 0) / 1024;
  } catch {
    // It has ended meanwhile.
    return 0;
  }
}
