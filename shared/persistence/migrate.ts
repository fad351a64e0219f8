import { readdir, readFile } from 'node:fs/promises';
import pg from 'pg';
import { fillColumns } from './columns.ts';
import { checkServerVersion } from './least-postgres.ts';

const FOLDER = new URL('./migrations/', import.meta.url);
const FUNCTIONS_FOLDER = new URL('./functions/', import.meta.url);
/** Any number, the same for all: what two deployments do at once they do one after the other. */
export const MIGRATION_LOCK = 7_312_009;

export class MigrationError extends Error {
  readonly code = 'MIGRATION_FAILED';
}

/**
 * Applies the migrations that the database lacks, in order, each in a transaction of its own. Each transaction takes the lock
 * and looks again whether another deployment was faster; so nothing lasts beyond it that a proxy would pin. Forward only. Then
 * creates the engine's functions as this version has them, all at once; code of another version may call them meanwhile.
 * @returns the names that were applied
 * @throws MigrationError naming the file; those before it stay applied
 * @throws DatabaseTooOld before any
 */
export async function migrate(
  databaseUrl: string,
  migrations: Promise<readonly Migration[]> = loadMigrations(),
  functions: Promise<readonly string[]> = loadFunctions(),
): Promise<string[]> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await checkServerVersion(client);
    const applied = await namesOfApplied(client);
    const pending = (await migrations).filter(({ name }) => !applied.has(name));
    const names: string[] = [];
    for (const migration of pending) if (await apply(client, migration)) names.push(migration.name);
    await createFunctions(client, await functions);
    return names;
  } finally {
    await client.end();
  }
}

async function namesOfApplied(client: pg.Client): Promise<Set<string>> {
  await client.query(
    `begin; select pg_advisory_xact_lock(${MIGRATION_LOCK});
     create table if not exists schema_migrations (name text primary key, applied_at timestamptz not null default now());
     commit`,
  );
  const { rows } = await client.query<{ name: string }>('select name from schema_migrations');
  return new Set(rows.map(({ name }) => name));
}

/** @returns whether it was this that applied it */
async function apply(client: pg.Client, { name, sql }: Migration): Promise<boolean> {
  try {
    await client.query('begin');
    await client.query('select pg_advisory_xact_lock($1)', [MIGRATION_LOCK]);
    const { rowCount } = await client.query('select 1 from schema_migrations where name = $1', [name]);
    if (rowCount === 0) {
      await client.query(sql);
      await client.query('insert into schema_migrations (name) values ($1)', [name]);
    }
    await client.query('commit');
    return rowCount === 0;
  } catch (error) {
    throw new MigrationError(`Migration ${name} failed and is not applied: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

export interface Migration {
  readonly name: string;
  readonly sql: string;
}

/**
 * The engine's statements live in functions where they are in the hot loop: Postgres keeps a function's plans for the connection,
 * which it does for no other statement without a name, and a name would pin the connection of a proxy. Planning was a third of a
 * step's time. `create or replace` keeps the signature: a function that needs another one gets another name
 * (migrations/README.md).
 */
async function createFunctions(client: pg.Client, texts: readonly string[]): Promise<void> {
  try {
    await client.query(`begin; select pg_advisory_xact_lock(${MIGRATION_LOCK}); ${texts.join('\n')}; commit`);
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

async function loadFunctions(): Promise<string[]> {
  const names = (await readdir(FUNCTIONS_FOLDER)).filter((name) => name.endsWith('.sql')).sort();
  return Promise.all(
    names.map(async (name) => fillColumns(await readFile(new URL(name, FUNCTIONS_FOLDER), 'utf8'))),
  );
}
