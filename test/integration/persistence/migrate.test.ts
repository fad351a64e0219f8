import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { migrate } from '../../../shared/persistence/migrate.ts';

const created: string[] = [];
let admin: pg.Client;
let url: string;

beforeAll(async () => {
  admin = new pg.Client({ connectionString: inject('databaseUrl') });
  await admin.connect();
});
beforeEach(async () => {
  const name = `migrate_${randomBytes(6).toString('hex')}`;
  await admin.query(`create database ${name}`);
  created.push(name);
  const address = new URL(inject('databaseUrl'));
  address.pathname = `/${name}`;
  url = address.href;
});
afterAll(async () => {
  for (const name of created) await admin.query(`drop database ${name} with (force)`);
  await admin?.end();
});

async function query(sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

async function functionNames(): Promise<unknown[]> {
  const rows = await query(
    `select proname as name from pg_proc where pronamespace = 'public'::regnamespace and prorettype <> 'trigger'::regtype`,
  );
  return rows.map(({ name }) => name).sort();
}

/** What shared/persistence/functions has, and the migrations besides. */
async function committedFunctions(): Promise<string[]> {
  const folders = ['functions', 'migrations'].map(
    (name) => new URL(`../../../shared/persistence/${name}/`, import.meta.url),
  );
  const texts = await Promise.all(
    folders.map(async (folder) =>
      Promise.all((await readdir(folder)).map((name) => readFile(new URL(name, folder), 'utf8'))),
    ),
  );
  return texts
    .flat()
    .flatMap((text) =>
      [...text.matchAll(/^create (?:or replace )?function (\w+)\([^)]*\)\s+returns (?!trigger)/gm)].map(
        ([, name]) => name!,
      ),
    )
    .sort();
}

const one = { name: '0001_create_a.sql', sql: 'create table a (n int); -- the last line has a comment' };
const two = { name: '0002_create_b.sql', sql: 'create table b (n int)' };
const NO_FUNCTIONS = Promise.resolve([]);

describe('migrate', () => {
  it('applies what is there, and nothing the second time', async () => {
    const first = await migrate(url);
    expect(first[0]).toBe('0001_create_the_tables.sql');
    expect(await migrate(url)).toEqual([]);
    expect(await query('select name from schema_migrations order by name')).toEqual(
      first.map((name) => ({ name })),
    );
  });

  it('applies each once where several deployments migrate at once', async () => {
    const applied = await Promise.all([migrate(url), migrate(url), migrate(url)]);
    const names = applied.flat().toSorted();
    expect(names.length).toBeGreaterThan(0);
    expect((await query('select name from schema_migrations order by name')).map(({ name }) => name)).toEqual(
      names,
    );
    expect(await functionNames()).toEqual(await committedFunctions());
  });

  it('creates the functions as this version has them, each time', async () => {
    await migrate(url);
    const expected = await committedFunctions();
    expect(expected).toContain('save_runs');
    expect(await functionNames()).toEqual(expected);
    await query('drop function remove_outbox');
    await query(
      `create or replace function refuse_stale(what text, id text) returns void language plpgsql as 'begin end'`,
    );
    expect(await migrate(url)).toEqual([]);
    expect(await functionNames()).toEqual(expected);
    await expect(query(`select refuse_stale('run', 'x')`)).rejects.toMatchObject({ code: 'SL001' });
  });

  it('says so where a function cannot be created, and replaces none of them', async () => {
    await migrate(url);
    await query(
      `create or replace function refuse_stale(what text, id text) returns void language plpgsql as 'begin end'`,
    );
    await query('drop function runs_not_saved(json)');
    await query(`create function runs_not_saved(runs json) returns integer language sql as 'select 1'`);
    await expect(migrate(url)).rejects.toMatchObject({
      code: 'MIGRATION_FAILED',
      message: 'The functions were not created: cannot change return type of existing function',
    });
    expect(await query(`select refuse_stale('run', 'x')`)).toHaveLength(1);
  });

  it('goes on where an earlier one ended', async () => {
    expect(await migrate(url, Promise.resolve([one]), NO_FUNCTIONS)).toEqual(['0001_create_a.sql']);
    expect(await migrate(url, Promise.resolve([one, two]), NO_FUNCTIONS)).toEqual(['0002_create_b.sql']);
  });

  it('names the file that fails, leaves nothing of it and keeps those before it', async () => {
    const broken = { name: '0002_break.sql', sql: 'create table c (n int); select 1 from nowhere' };
    await expect(migrate(url, Promise.resolve([one, broken, two]), NO_FUNCTIONS)).rejects.toMatchObject({
      code: 'MIGRATION_FAILED',
      message: 'Migration 0002_break.sql failed and is not applied: relation "nowhere" does not exist',
    });
    const tables = await query(
      `select tablename from pg_tables where schemaname = 'public' order by tablename`,
    );
    expect(tables).toEqual([{ tablename: 'a' }, { tablename: 'schema_migrations' }]);
    expect(await query('select name from schema_migrations')).toEqual([{ name: '0001_create_a.sql' }]);
    expect(await migrate(url, Promise.resolve([one, two]), NO_FUNCTIONS)).toEqual(['0002_create_b.sql']);
  });
});
