import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { migrate } from '../../shared/persistence/migrate.ts';

export interface FreshDatabase {
  readonly name: string;
  readonly url: string;
  drop(): Promise<void>;
}

/** A migrated database of one's own beside the shared one. */
export async function createFreshDatabase(sharedUrl: string): Promise<FreshDatabase> {
  const database = await createEmptyDatabase(sharedUrl, 'test');
  await migrate(database.url);
  return database;
}

/** @param prefix of its name, lower-case */
export async function createEmptyDatabase(sharedUrl: string, prefix: string): Promise<FreshDatabase> {
  const name = `${prefix}_${randomBytes(6).toString('hex')}`;
  await administer(sharedUrl, `create database ${name}`);
  const url = new URL(sharedUrl);
  url.pathname = `/${name}`;
  return { name, url: url.href, drop: () => administer(sharedUrl, `drop database ${name} with (force)`) };
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
