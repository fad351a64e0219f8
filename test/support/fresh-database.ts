import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { migrate } from '../../shared/persistence/migrate.ts';

export interface FreshDatabase {
  readonly url: string;
  drop(): Promise<void>;
}

/** A migrated database of one's own beside the shared one. */
export async function createFreshDatabase(sharedUrl: string): Promise<FreshDatabase> {
  const database = await createEmptyDatabase(sharedUrl);
  await migrate(database.url);
  return database;
}

/** One without any schema. */
export async function createEmptyDatabase(sharedUrl: string): Promise<FreshDatabase> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  await administer(sharedUrl, `create database ${name}`);
  const url = new URL(sharedUrl);
  url.pathname = `/${name}`;
  return { url: url.href, drop: () => administer(sharedUrl, `drop database ${name} with (force)`) };
}

async function administer(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
