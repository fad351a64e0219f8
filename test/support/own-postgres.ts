import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { removeWithLauncher } from '../../localstack/guardian.ts';
import { startPostgres } from '../../localstack/postgres.ts';
import type { PostgresMajor } from '../../localstack/postgres-binaries.ts';

export interface OwnPostgres {
  readonly url: string;
  stop(): Promise<void>;
}

/**
 * A server of one's own, for what others on the same would disturb: a migration of any database makes so many tables in one commit that
 * every connection of its server forgets its plans.
 */
export async function startOwnPostgres(options: { readonly major?: PostgresMajor }): Promise<OwnPostgres> {
  const folder = mkdtempSync(join(tmpdir(), 'stepline-test-'));
  removeWithLauncher(folder);
  const postgres = await startPostgres({ dataDir: join(folder, 'postgres'), ...options });
  return {
    url: postgres.url,
    async stop() {
      await postgres.kill();
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
