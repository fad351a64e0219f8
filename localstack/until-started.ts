import { execFile } from 'node:child_process';
import { statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

/** A process that is on its way. */
export interface Starting {
  /** As a person calls it. */
  readonly name: string;
  /** What has to come to pass, as in "waits until …". */
  readonly waitsUntil: string;
  isReady(): Promise<boolean>;
  hasExited(): boolean;
  /** A number that grows while it gets on. */
  progress(): Promise<number>;
  /** What it has said last, if anything. */
  lastWords?(): string;
  readonly tell?: ((line: string) => void) | undefined;
}

export interface Patience {
  readonly lookEveryMs: number;
  readonly tellEveryMs: number;
  /** Without any progress: it hangs. */
  readonly stalledAfterMs: number;
  /** Whatever it makes of it. */
  readonly atMostMs: number;
}

export type StartOutcome =
  | { readonly ready: true }
  /** It has ended, or is given up: `reason` is what became of it. */
  | { readonly ready: false; readonly hasExited: boolean; readonly reason: string };

const patient: Patience = {
  lookEveryMs: 25,
  tellEveryMs: 10_000,
  stalledAfterMs: 60_000,
  atMostMs: 15 * 60_000,
};

/**
 * Waits for a server for as long as it gets on, and says that it does: a busy machine, or a log that has to be recovered, takes its
 * time, and to end what is half-way there helps nobody.
 */
export async function untilStarted(
  { name, waitsUntil, isReady, hasExited, progress, lastWords, tell = () => {} }: Starting,
  { lookEveryMs, tellEveryMs, stalledAfterMs, atMostMs }: Patience = patient,
): Promise<StartOutcome> {
  const begunAt = performance.now();
  let progressAt = begunAt;
  let toldAt = begunAt;
  let seen = -1;
  while (!(await isReady())) {
    if (hasExited()) return { ready: false, hasExited: true, reason: 'it has ended' };
    const now = performance.now();
    if (now - toldAt >= tellEveryMs || now - progressAt >= stalledAfterMs) {
      const found = await progress();
      if (found > seen) progressAt = now;
      seen = Math.max(seen, found);
      const waited = inSeconds(now - begunAt);
      const since = `waits until ${waitsUntil}`;
      if (now - progressAt >= stalledAfterMs)
        return gaveUp(`it did nothing for ${inSeconds(now - progressAt)}, while one ${since}`);
      if (now - begunAt >= atMostMs) return gaveUp(`${waited} were not enough until ${waitsUntil}`);
      toldAt = now;
      const words = lastWords?.();
      tell(`${name} is still starting after ${waited}: ${since}${words ? `; it says: ${words}` : ''}`);
    }
    await sleep(lookEveryMs);
  }
  return { ready: true };
}

function gaveUp(reason: string): StartOutcome {
  return { ready: false, hasExited: false, reason };
}

function inSeconds(ms: number): string {
  return `${Math.round(ms / 1_000)} s`;
}

/** Bytes in its log, and seconds that it has computed: a server that writes nothing may well be reading. */
export async function progressOfProcess(pid: number, logFile: string | null): Promise<number> {
  const { stdout } = await promisify(execFile)('ps', ['-o', 'time=', '-p', String(pid)]).catch(() => ({
    stdout: '',
  }));
  return sizeOf(logFile) + secondsOf(stdout);
}

function sizeOf(file: string | null): number {
  return file === null ? 0 : (statSync(file, { throwIfNoEntry: false })?.size ?? 0);
}

/** As `ps` has it: `00:01:02`, `1-00:00:00`, and `1:02.34` on macOS; whole seconds. */
export function secondsOf(time: string): number {
  const [, days = '0', clock = ''] = /^\s*(?:(\d+)-)?([\d:.]+)\s*$/.exec(time) ?? [];
  const seconds = clock.split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
  return Number(days) * 86_400 + Math.floor(seconds);
}
