import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * The pid in a pid file, while a process of that program really runs under it. A file left behind may name a process that is
 * something else by now, and a launcher that was killed may have its server ending at this moment, which gets some time.
 */
export async function serverStillRunning(
  pidFile: string,
  program: string,
  patienceMs = 4_000,
): Promise<number | undefined> {
  const giveUpAt = Date.now() + patienceMs;
  for (;;) {
    const pid = runningPid(pidFile, program);
    if (pid === undefined || Date.now() > giveUpAt) return pid;
    await sleep(100);
  }
}

function runningPid(pidFile: string, program: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(pidFile, 'utf8'), 10);
    const name = execFileSync('ps', ['-o', 'comm=', '-p', String(pid)], { encoding: 'utf8' });
    return name.includes(program) ? pid : undefined;
  } catch {
    return undefined;
  }
}
