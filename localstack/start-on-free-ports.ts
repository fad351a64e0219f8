import { existsSync, readFileSync, statSync } from 'node:fs';

const ATTEMPTS = 4;

/**
 * Starts a server that is given its ports. One that was free when it was drawn may be somebody's by the time the server binds it,
 * on a machine where much is started: where its log says so, it is started again, with others.
 * @param start draws the ports anew at each attempt, from 1 on; it rejects where the server ends
 */
export async function startOnFreePorts<Server>(
  logFile: string,
  start: (attempt: number) => Promise<Server>,
): Promise<Server> {
  for (let attempt = 1; ; attempt++) {
    const logged = existsSync(logFile) ? statSync(logFile).size : 0;
    try {
      return await start(attempt);
    } catch (error) {
      if (attempt === ATTEMPTS || !isPortTaken(logFile, logged)) throw error;
    }
  }
}

/** In the words of Java, of PostgreSQL and of Python. */
function isPortTaken(logFile: string, from: number): boolean {
  return existsSync(logFile) && /address already in use/i.test(readFileSync(logFile).toString('utf8', from));
}
