import { readdirSync, readFileSync } from 'node:fs';

const TICKS_PER_SECOND = 100;

/** CPU seconds of a process and all its children so far; Linux only, elsewhere null. */
export function cpuSecondsOfTree(rootPid: number): number | null {
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
    return stats.reduce((sum, { pid, seconds }) => sum + (wanted.has(pid) ? seconds : 0), 0);
  } catch {
    return null;
  }
}

function readStat(pid: number): { pid: number; parent: number; seconds: number } | null {
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
