import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { projectFolder } from './project-folder.ts';

/** Which months have partitions is a question of the time; each table that is partitioned has one for what is in none. */
const TABLES = `
  select c.oid::regclass::text as name, array_to_string(c.reloptions, ', ') as options,
         case when c.relkind = 'p' then pg_get_partkeydef(c.oid) end as key, i.inhparent::regclass::text as parent
    from pg_class c join pg_namespace n on n.oid = c.relnamespace left join pg_inherits i on i.inhrelid = c.oid
   where n.nspname = 'public' and c.relkind in ('r', 'p')
     and coalesce(pg_get_expr(c.relpartbound, c.oid), 'DEFAULT') = 'DEFAULT' order by 1`;
const COLUMNS = `
  select a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
         || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '') || case when a.attnotnull then ' not null' else '' end as line
    from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
   where a.attrelid = $1::regclass and a.attnum > 0 and not a.attisdropped order by a.attnum`;
const CONSTRAINTS = `
  select 'constraint ' || conname || ' ' || pg_get_constraintdef(oid) as line
    from pg_constraint where conrelid = $1::regclass and contype <> 'n' order by contype, conname`;
const INDEXES = `
  select pg_get_indexdef(i.indexrelid) || ';' as line
    from pg_index i where i.indrelid = $1::regclass
     and not exists (select from pg_inherits of_parent where of_parent.inhrelid = i.indexrelid)
     and not exists (select from pg_constraint c where c.conindid = i.indexrelid) order by 1`;
const TRIGGERS = `
  select pg_get_triggerdef(oid) || ';' as line from pg_trigger where tgrelid = $1::regclass and not tgisinternal and tgparentid = 0 order by tgname`;
const FUNCTIONS = `
  select pg_get_functiondef(p.oid) || ';' as line
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname = 'public' and p.proname <> all($1) order by p.proname`;

interface Table {
  readonly name: string;
  readonly options: string | null;
  /** By what it is partitioned. */
  readonly key: string | null;
  /** Of which it is the default partition. */
  readonly parent: string | null;
}

/** Functions whose source is a file: that is where they are read. */
function namesInFiles(): string[] {
  const folder = join(projectFolder, 'shared/persistence/functions');
  return readdirSync(folder).flatMap((file) =>
    [...readFileSync(join(folder, file), 'utf8').matchAll(/^create or replace function (\w+)/gm)].map(
      ([, name = '']) => name,
    ),
  );
}

/** The public schema as SQL text, the same for the same schema: made to be compared and read, not to be run. */
export async function dumpSchema(databaseUrl: string): Promise<string> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  const lines = async (sql: string, values: unknown[] = []) =>
    (await client.query<{ line: string }>(sql, values)).rows.map(({ line }) => line);
  try {
    const { rows: tables } = await client.query<Table>(TABLES);
    const parts: string[] = await lines(FUNCTIONS, [namesInFiles()]);
    for (const { name, options, key, parent } of tables) {
      const body = [...(await lines(COLUMNS, [name])), ...(await lines(CONSTRAINTS, [name]))];
      const storage = options ? ` with (${options})` : '';
      const partitioned = key ? ` partition by ${key}` : '';
      parts.push(
        parent
          ? `create table ${name} partition of ${parent} default${storage};`
          : `create table ${name} (\n    ${body.join(',\n    ')}\n)${partitioned}${storage};`,
      );
      parts.push(...(await lines(INDEXES, [name])), ...(await lines(TRIGGERS, [name])));
    }
    return `-- What the migrations come to. Written by \`npm run schema\`. The hot path's functions are in functions/, and come to what stands there.\n\n${parts.join('\n\n')}\n`;
  } finally {
    await client.end();
  }
}
