import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { StartError } from './start-error.ts';

const host = '127.0.0.1';

/**
 * Below what systems give to connections by themselves (Linux from 32768, others from 49152): until a server listens on its port,
 * no connection of anybody's can have taken it, nor the retries of a client that waits for it.
 */
const freePorts = { from: 18_000, to: 32_000 };
const TRIES = 100;

/** Resolves with the port that was bound for a moment, or rejects with the reason of the system. */
function tryPort(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(port)));
  });
}

/** One that nobody listens on now; drawn at random, so that hardly anybody else who looks for one finds the same. */
export async function freePort(): Promise<number> {
  for (let tries = 1; ; tries++) {
    try {
      return await tryPort(randomInt(freePorts.from, freePorts.to));
    } catch (error) {
      if (tries === TRIES) throw error;
    }
  }
}

/**
 * The port asked for, if nobody listens on it, else a free one when none was asked for.
 * A port that a process of an earlier start is just letting go of gets `patienceMs`.
 */
export async function claimPort(
  asked: number | undefined,
  wantedBy: string,
  remedies: readonly string[],
  patienceMs = 0,
): Promise<number> {
  if (asked === undefined) return freePort();
  const giveUpAt = Date.now() + patienceMs;
  for (;;) {
    try {
      return await tryPort(asked);
    } catch (cause) {
      if (Date.now() < giveUpAt) {
        await sleep(100);
        continue;
      }
      const reason = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown reason';
      const problem =
        reason === 'EADDRINUSE'
          ? `Port ${asked}, wanted by ${wantedBy}, is in use.`
          : `Port ${asked}, wanted by ${wantedBy}, cannot be opened (${reason}).`;
      throw new StartError('PORT_IN_USE', problem, remedies, cause);
    }
  }
}
