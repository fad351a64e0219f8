import { type ChildProcess, fork } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { GuardedCommand, GuardianReport, GuardianRequest } from './guardian-process.ts';
import { withCompileCache } from './project-folder.ts';

/*
 * Servers are children of a small process of their own, the guardian, which outlives the launcher by the moment it takes
 * to end them: an IPC channel closes however its other side dies, SIGKILL included, and no handler in the launcher could
 * do as much. One guardian serves all that this process starts.
 */

export interface GuardedProcess {
  readonly pid: number;
  /** Resolves when the process has ended, by whatever cause. */
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  readonly hasExited: () => boolean;
  kill(signal: NodeJS.Signals): void;
}

/** Sends the first signal and, where the process has not ended `graceMs` later, the last one. Resolves when it has ended. */
export async function endGuarded(
  process: GuardedProcess,
  first: NodeJS.Signals,
  last: NodeJS.Signals,
  graceMs: number,
): Promise<void> {
  process.kill(first);
  const ended = await Promise.race([process.exited, sleep(graceMs, 'late' as const, { ref: false })]);
  if (ended === 'late') process.kill(last);
  await process.exited;
}

interface Spawning {
  spawned(pid: number): void;
  failed(error: Error): void;
  ended(code: number | null, signal: NodeJS.Signals | null): void;
}

let guardian: ChildProcess | undefined;
let lastId = 0;
const spawnings = new Map<number, Spawning>();

function ask(request: GuardianRequest): void {
  guardian ??= startGuardian();
  guardian.send(request);
}

function startGuardian(): ChildProcess {
  // Detached: Ctrl-C in a terminal goes to the whole group, and the launcher, not the terminal, decides the order of the end.
  const child = fork(fileURLToPath(new URL('./guardian-process.ts', import.meta.url)), [], {
    detached: true,
    execArgv: [],
    env: { ...process.env, ...withCompileCache },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  child.unref();
  child.channel?.unref();
  child.on('message', (report: GuardianReport) => {
    const spawning = spawnings.get(report.id);
    if (report.type === 'spawned') spawning?.spawned(report.pid);
    else if (report.type === 'failed') spawning?.failed(new Error(report.message));
    else spawning?.ended(report.code, report.signal);
    if (report.type !== 'spawned') spawnings.delete(report.id);
    if (spawnings.size === 0) child.channel?.unref();
  });
  child.on('exit', () => {
    if (guardian === child) guardian = undefined;
    // Nobody is left to end these servers later, so they end now.
    for (const spawning of spawnings.values()) {
      spawning.failed(new Error('the guardian process ended'));
      spawning.ended(null, null);
    }
    spawnings.clear();
  });
  return child;
}

/** Starts a server that ends, at the latest, when this process does. */
export function spawnGuarded(command: GuardedCommand): Promise<GuardedProcess> {
  const id = ++lastId;
  return new Promise((resolve, reject) => {
    let ended = false;
    const exit = Promise.withResolvers<{ code: number | null; signal: NodeJS.Signals | null }>();
    let serverPid = 0;
    spawnings.set(id, {
      spawned(pid) {
        serverPid = pid;
        resolve({
          pid,
          exited: exit.promise,
          hasExited: () => ended,
          kill: (signal) => {
            if (!ended) signalProcess(pid, signal);
          },
        });
      },
      failed: reject,
      ended(code, signal) {
        if (code === null && signal === null && serverPid > 0) signalProcess(serverPid, 'SIGKILL');
        ended = true;
        exit.resolve({ code, signal });
      },
    });
    ask({ type: 'spawn', id, command });
    guardian?.channel?.ref();
  });
}

/** A process started elsewhere that must not outlive this one, even when it never looks at its own IPC channel. */
export function endWithLauncher(pid: number): void {
  ask({ type: 'watch', pid });
}

export function ceaseWatching(pid: number): void {
  if (guardian) ask({ type: 'unwatch', pid });
}

/** A temporary folder that must not outlive this process. */
export function removeWithLauncher(folder: string): void {
  ask({ type: 'remove', folder });
}

function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended in the meantime, which is all a signal is for.
  }
}
