import { openDatabase } from '../../shared/persistence/database.ts';

const CLIENTS = 16;

/**
 * What this machine can do at all: commits per second of 16 clients with one small insert each, on the same server. Figures
 * of two machines compare by their ratio to it.
 */
export async function measureCommitRate(databaseUrl: string, seconds: number): Promise<number> {
  const database = openDatabase({ url: databaseUrl, maxConnections: CLIENTS });
  try {
    await database.execute('create table if not exists commit_rate (id bigserial primary key, value text)');
    let commits = 0;
    const began = performance.now();
    const end = began + seconds * 1_000;
    const client = async () => {
      while (performance.now() < end) {
        await database.execute("insert into commit_rate (value) values ('one small insert')");
        commits += 1;
      }
    };
    await Promise.all(Array.from({ length: CLIENTS }, client));
    return commits / ((performance.now() - began) / 1_000);
  } finally {
    await database.execute('drop table if exists commit_rate').catch(() => {});
    await database.close();
  }
}
