import { EnvironmentError } from '../../shared/config/environment.ts';
import { StartError } from '../start-error.ts';
import { endWithNpm } from './end-with-npm.ts';

/**
 * Runs a command of the local stack to its end, or until it waits for a signal. What a person can mend is said without a stack
 * trace: a part that cannot start, a variable or an option that is wrong.
 */
export function runCommand(main: () => Promise<void>, usage: string): void {
  endWithNpm();
  main().catch((error: unknown) => {
    if (isUsageError(error)) console.error(`${error.message}\n\n${usage}`);
    else
      console.error(error instanceof StartError || error instanceof EnvironmentError ? error.message : error);
    process.exit(1);
  });
}

/** Of `parseArgs`: an option that there is not, or one without its value. */
export function isUsageError(error: unknown): error is Error {
  return (
    error instanceof Error &&
    'code' in error &&
    typeof error.code === 'string' &&
    error.code.startsWith('ERR_PARSE_ARGS_')
  );
}
