import { codeOf } from '../../shared/application/error-policy.ts';

const ATTEMPTS = 3;

/**
 * What is told its port before it listens there: another process may have taken it by then. It is started again, with another.
 * @param start draws the port anew at each call
 */
export async function startAgain<Started>(start: () => Promise<Started>): Promise<Started> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start();
    } catch (error) {
      const code = codeOf(error);
      if (attempt === ATTEMPTS || (code !== 'PORT_IN_USE' && code !== 'EADDRINUSE')) throw error;
    }
  }
}
