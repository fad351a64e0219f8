import pg from 'pg';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import {
  databaseRoles,
  definersFunctions,
  ensureDatabaseRoles,
} from '../../../shared/persistence/database-roles.ts';
import { createFreshDatabase, type FreshDatabase } from '../../support/fresh-database.ts';

/** Tables that are the owner's alone, each for a reason. */
const ownersAlone = [
  // The migration's own.
  'schema_migrations',
];

let fresh: FreshDatabase;
let owner: pg.Client;
beforeAll(async () => {
  fresh = await createFreshDatabase(inject('databaseUrl'));
  owner = new pg.Client({ connectionString: fresh.url });
  await owner.connect();
  await ensureDatabaseRoles(fresh.url);
});
afterAll(async () => {
  await owner?.end();
  await fresh?.drop();
});

async function grants(): Promise<Record<string, string[]>> {
  const { rows } = await owner.query<{ grantee: string; what: string }>(
    `select grantee, table_name || ':' || lower(privilege_type) as what from information_schema.role_table_grants
      where table_schema = 'public' and grantee like 'stepline_%' order by 1, 2`,
  );
  const found: Record<string, string[]> = {};
  for (const { grantee, what } of rows) found[grantee] = [...(found[grantee] ?? []), what];
  return found;
}

test('each function’s user may do what is listed and nothing beside', async () => {
  const listed = Object.entries(databaseRoles).map(([role, tables]) => [
    role,
    Object.entries(tables)
      .flatMap(([table, privileges]) => privileges.map((each) => `${table}:${each}`))
      .toSorted(),
  ]);
  expect(await grants()).toEqual(Object.fromEntries(listed));
});

test('who may use a table is decided for every table', async () => {
  const { rows } = await owner.query<{ tablename: string }>(
    // Partitions are used by the table that they are of.
    `select c.relname as tablename from pg_class c
      where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition order by 1`,
  );
  const decided = new Set([...Object.values(databaseRoles).flatMap(Object.keys), ...ownersAlone]);
  expect(rows.map(({ tablename }) => tablename).filter((name) => !decided.has(name))).toEqual([]);
});

test('a function that has its definer’s rights is called by those that are listed', async () => {
  const { rows } = await owner.query<{ signature: string; callers: string[] }>(
    `select p.oid::regprocedure::text as signature,
            array(select r.rolname::text from pg_roles r
                   where r.rolname like 'stepline_%' and has_function_privilege(r.oid, p.oid, 'execute') order by 1) as callers
       from pg_proc p
      where p.pronamespace = 'public'::regnamespace and p.prosecdef and p.prorettype <> 'trigger'::regtype`,
  );
  const found = Object.fromEntries(
    rows.map(({ signature, callers }) => [signature.replace(',', ', '), callers]),
  );
  expect(found).toEqual(definersFunctions);
});

test('a second time changes nothing, and takes away what is no longer listed', async () => {
  const before = await grants();
  await owner.query('grant delete on workflow_runs to stepline_http_bridge');
  await ensureDatabaseRoles(fresh.url);
  expect(await grants()).toEqual(before);
});

test('a frozen function lets go: its user’s statements and transactions end', async () => {
  const { rows } = await owner.query<{ rolname: string; rolconfig: string[] }>(
    "select rolname, rolconfig from pg_roles where rolname like 'stepline_%'",
  );
  expect(rows).toHaveLength(Object.keys(databaseRoles).length);
  for (const { rolconfig } of rows) {
    expect(rolconfig.toSorted()).toEqual([
      'idle_in_transaction_session_timeout=15s',
      'lock_timeout=10s',
      'statement_timeout=25s',
    ]);
  }
});
