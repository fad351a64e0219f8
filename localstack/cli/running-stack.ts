import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where a stack that is running is reached: what `npm run dev` writes to `dev.json`, as far as tools need it. */
export interface StackAddresses {
  readonly url: string;
  readonly apiKey: string;
  readonly databaseUrl: string;
  readonly kafkaBrokers: string;
}

export class NoStackError extends Error {
  readonly code = 'NO_STACK';
}

const variableNames = {
  url: 'STEPLINE_URL',
  apiKey: 'STEPLINE_API_KEY',
  databaseUrl: 'DATABASE_URL',
  kafkaBrokers: 'KAFKA_BROKERS',
} as const;

/**
 * The stack that the environment names, where `STEPLINE_URL` is set, else the one of `dev.json` in the folder.
 * @throws NoStackError saying what to do.
 */
export function findRunningStack(
  folder: string,
  variables: Readonly<Record<string, string | undefined>>,
): StackAddresses {
  const given = Object.entries(variableNames).map(([name, variable]) => [name, variables[variable]]);
  if (variables.STEPLINE_URL) {
    const missing = given.flatMap(([name, value]) =>
      value ? [] : [variableNames[name as keyof typeof variableNames]],
    );
    if (missing.length > 0) throw new NoStackError(`With STEPLINE_URL set, set ${missing.join(', ')} too.`);
    return Object.fromEntries(given) as StackAddresses;
  }
  const file = join(folder, 'dev.json');
  try {
    const { url, api_key, database_url, kafka_brokers } = JSON.parse(readFileSync(file, 'utf8'));
    return { url, apiKey: api_key, databaseUrl: database_url, kafkaBrokers: kafka_brokers };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      throw new NoStackError(`${file} cannot be read: ${(error as Error).message}\n${remedies}`);
    throw new NoStackError(`No local stack is running: there is no ${file}.\n${remedies}`);
  }
}

const remedies = [
  '  - start one in another terminal: npm run dev',
  `  - or name a running one: set ${Object.values(variableNames).join(', ')}`,
].join('\n');

/** @throws NoStackError when nobody answers at the stack's address. */
export async function checkAnswers({ url }: StackAddresses): Promise<void> {
  try {
    await fetch(`${url}/health`, { signal: AbortSignal.timeout(10_000) });
  } catch (error) {
    const { cause } = error as Error;
    const reason = cause instanceof Error && 'code' in cause ? cause.code : (error as Error).message;
    throw new NoStackError(`No local stack is running: nobody answers at ${url} (${reason}).\n${remedies}`);
  }
}
