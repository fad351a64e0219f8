import { readdir, readFile } from 'node:fs/promises';
import pg from 'pg';

const FOLDER = new URL('./migrations/', import.meta.url);
const FUNCTIONS_FOLDER = new URL('./functions/', import.meta.url);
/** Any number, the same for all: two deployments at once migrate one after the other. */
const LOCK = 7_312_009;

export class MigrationError extends Error {
  readonly code = 'MIGRATION_FAILED';
}

/**
 * Applies the migrations that the database lacks, in order, each in a transaction of its own, under a lock. Forward only. Then
 * creates the engine's functions as this version has them, all at once; code of another version may call them meanwhile.
 * Connects directly: the lock lasts over several transactions, which a proxy would pin.
 * @returns the names that were applied
 * @throws MigrationError naming the file; those before it stay applied
 */
export async function migrate(
  databaseUrl: string,
  migrations: Promise<readonly Migration[]> = loadMigrations(),
): Promise<string[]> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query('select pg_advisory_lock($1)', [LOCK]);
    await client.query(
      'create table if not exists schema_migrations (name text primary key, applied_at timestamptz not null default now())',
    );
    const { rows } = await client.query<{ name: string }>('select name from schema_migrations');
    const applied = new Set(rows.map(({ name }) => name));
    const pending = (await migrations).filter(({ name }) => !applied.has(name));
    for (const { name, sql } of pending) {
      try {
        await client.query(
          `begin; ${sql}\n; insert into schema_migrations (name) values ('${name}'); commit`,
        );
      } catch (error) {
        throw new MigrationError(`Migration ${name} failed and is not applied: ${(error as Error).message}`, {
          cause: error,
        });
      }
    }
    await createFunctions(client);
    return pending.map(({ name }) => name);
  } finally {
    // The lock goes with the connection.
    await client.end();
  }
}

export interface Migration {
  readonly name: string;
  readonly sql: string;
}

/**
 * The engine's statements live in functions where they are in the hot loop: Postgres keeps a function's plans for the connection,
 * which it does for no other statement without a name, and a name would pin the connection of a proxy. Planning was a third of a
 * step's time. `create or replace` keeps the signature: a function that needs another one gets another name.
 */
async function createFunctions(client: pg.Client): Promise<void> {
  const names = (await readdir(FUNCTIONS_FOLDER)).filter((name) => name.endsWith('.sql')).sort();
  const texts = await Promise.all(names.map((name) => readFile(new URL(name, FUNCTIONS_FOLDER), 'utf8')));
  try {
    await client.query(`begin; ${texts.join('\n')}; commit`);
  } catch (error) {
    throw new MigrationError(`The functions were not created: ${(error as Error).message}`, { cause: error });
  }
}

async function loadMigrations(): Promise<Migration[]> {
  const names = (await readdir(FOLDER)).filter((name) => /^\d{4}_[a-z0-9_]+\.sql$/.test(name)).sort();
  return Promise.all(
    names.map(async (name) => ({ name, sql: await readFile(new URL(name, FOLDER), 'utf8') })),
  );
}
