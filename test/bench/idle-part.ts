import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { formatTable } from '../../localstack/cli/table.ts';
import { freePort } from '../../localstack/free-ports.ts';
import { startCommand } from '../support/command.ts';
import type { Figures } from './bench.ts';
import { cpuSecondsOfTree, memoryMibOfTree } from './processes.ts';

/** Until compilers and the first looks of the timekeeper are done. */
const SETTLE_MS = 60_000;
const MEASURED_MS = 60_000;

/** A stack for development that has started and that nobody uses. */
export async function idlePart(): Promise<Figures> {
  const folder = await mkdtemp(join(tmpdir(), 'stepline-idle-'));
  const stack = startCommand(process.execPath, ['localstack/cli/dev.ts', '--folder', folder], {
    PORT: String(await freePort()),
  });
  try {
    await stack.untilPrinted(/^ready /m);
    await sleep(SETTLE_MS);
    const { pids } = JSON.parse(await readFile(join(folder, 'dev.json'), 'utf8'));
    const measured = Object.entries<number>({ ...pids, launcher: stack.pid });
    const before = measured.map(([, pid]) => cpuSecondsOfTree(pid));
    await sleep(MEASURED_MS);
    const rows = measured.map(([name, pid], i) => {
      const [was, is] = [before[i] ?? null, cpuSecondsOfTree(pid)];
      return {
        name,
        cpuPercent: was === null || is === null ? null : ((is - was) / (MEASURED_MS / 1_000)) * 100,
        memoryMib: memoryMibOfTree(pid),
      };
    });
    console.log('\nA dev stack that nobody uses (a process and its children):');
    console.log(
      formatTable(
        ['process', '% of a core', 'MiB'],
        rows.map(({ name, cpuPercent, memoryMib }) => [
          name,
          cpuPercent?.toFixed(1) ?? '–',
          memoryMib?.toFixed(0) ?? '–',
        ]),
      ),
    );
    const all = rows.find(({ name }) => name === 'launcher');
    return {
      ...(all?.cpuPercent != null && { 'idle CPU %': all.cpuPercent }),
      ...(all?.memoryMib != null && { 'idle MiB': all.memoryMib }),
    };
  } finally {
    stack.signalGroup('SIGTERM');
    await stack.exited;
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
