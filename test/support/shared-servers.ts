import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { removeWithLauncher } from '../../localstack/guardian.ts';
import { startKafka } from '../../localstack/kafka.ts';
import { startPostgres } from '../../localstack/postgres.ts';
import type { PostgresMajor } from '../../localstack/postgres-binaries.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Of a database that nobody writes to: a test file creates its own beside it. */
    databaseUrl: string;
    /** As the shared one was started. */
    postgresOptions: PostgresOptions;
    /** A test file prefixes its topics and groups. */
    kafkaBrokers: string;
  }
}

/** One real PostgreSQL and one real Kafka broker for the whole run, whatever the machine has running. */
export default function startSharedServers(project: TestProject): Promise<() => Promise<void>> {
  return startServers(project, {});
}

interface PostgresOptions {
  readonly major?: PostgresMajor;
}

export async function startServers(
  project: TestProject,
  postgresOptions: PostgresOptions,
): Promise<() => Promise<void>> {
  const folder = mkdtempSync(join(tmpdir(), 'stepline-test-'));
  // When the run is killed, the guardian removes what is left; so tests leave no folder behind either way.
  removeWithLauncher(folder);
  const [postgres, kafka] = await Promise.all([
    startPostgres({ dataDir: join(folder, 'postgres'), ...postgresOptions }),
    startKafka({ dir: join(folder, 'kafka'), onProgress: (line) => process.stderr.write(`${line}\n`) }),
  ]);
  project.provide('databaseUrl', postgres.url);
  project.provide('postgresOptions', postgresOptions);
  project.provide('kafkaBrokers', kafka.brokers);
  return async () => {
    await Promise.all([postgres.kill(), kafka.kill()]);
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  };
}
