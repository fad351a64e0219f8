import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

export interface GuardedCommand {
  file: string;
  args: readonly string[];
  env?: Readonly<Record<string, string | undefined>>;
  cwd?: string;
  uid?: number;
  gid?: number;
  /** Gets stdout and stderr, appended. */
  logFile: string;
  /** What the server takes as "end in good order". */
  stopSignal: NodeJS.Signals;
  /** It starts processes that do not end by themselves when it does: they are ended after it. */
  endsDescendants?: boolean;
}

export type GuardianRequest =
  | { type: 'spawn'; id: number; command: GuardedCommand }
  | { type: 'watch'; pid: number }
  | { type: 'unwatch'; pid: number }
  | { type: 'remove'; folder: string };

export type GuardianReport =
  | { type: 'spawned'; id: number; pid: number }
  | { type: 'failed'; id: number; message: string }
  | { type: 'ended'; id: number; code: number | null; signal: NodeJS.Signals | null };

const graceMs = 6_000;
const servers = new Map<ChildProcess, NodeJS.Signals>();
const watched = new Set<number>();
const folders = new Set<string>();
let isEnding = false;

function report(message: GuardianReport): void {
  // Whoever it was for may be gone, which 'disconnect' tells; an error of its own would end the guardian before its work.
  if (process.connected) process.send?.(message, undefined, undefined, () => {});
}

function start(id: number, command: GuardedCommand): void {
  const log = openSync(command.logFile, 'a');
  const child = spawn(command.file, command.args, {
    stdio: ['ignore', log, log],
    detached: command.endsDescendants ?? false,
    ...(command.env && { env: command.env }),
    ...(command.cwd && { cwd: command.cwd }),
    ...(command.uid !== undefined && { uid: command.uid }),
    ...(command.gid !== undefined && { gid: command.gid }),
  });
  closeSync(log);
  child.once('spawn', () => {
    servers.set(child, command.stopSignal);
    report({ type: 'spawned', id, pid: child.pid ?? 0 });
  });
  child.once('error', (error) => report({ type: 'failed', id, message: error.message }));
  child.once('exit', (code, signal) => {
    if (command.endsDescendants && child.pid !== undefined) killGroup(child.pid);
    servers.delete(child);
    report({ type: 'ended', id, code, signal });
  });
}

/** Of the process that began it, and that has ended. */
function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nobody of it is left.
  }
}

async function endEverything(): Promise<void> {
  if (isEnding) return;
  isEnding = true;
  for (const pid of watched) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // Already gone.
    }
  }
  for (const [child, signal] of servers) child.kill(signal);
  const giveUpAt = Date.now() + graceMs;
  while (servers.size > 0 && Date.now() < giveUpAt) await sleep(20);
  for (const child of servers.keys()) child.kill('SIGKILL');
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  process.exit(0);
}

process.on('message', (request: GuardianRequest) => {
  if (request.type === 'spawn') {
    if (isEnding) return;
    try {
      start(request.id, request.command);
    } catch (error) {
      report({ type: 'failed', id: request.id, message: String(error) });
    }
  } else if (request.type === 'watch') watched.add(request.pid);
  else if (request.type === 'unwatch') watched.delete(request.pid);
  else folders.add(request.folder);
});
process.once('disconnect', endEverything);
process.once('SIGTERM', endEverything);
process.once('SIGINT', endEverything);
// A launcher may be dead before this runs: that event is over, but what it asked for still comes, and comes first.
setImmediate(() => {
  if (!process.connected) void endEverything();
});
