import pg from 'pg';

/** What code may use of a schema: its columns and its functions, each with what it is, as text. */
export interface SchemaUses {
  readonly columns: ReadonlyMap<string, Column>;
  /** By name; an overload is one more signature. */
  readonly functions: ReadonlyMap<string, readonly string[]>;
}

interface Column {
  readonly type: string;
  readonly isNullable: boolean;
  /** A row may be inserted that does not name it. */
  readonly mayBeLeftOut: boolean;
}

const COLUMNS = `
  select c.relname || '.' || a.attname as name, format_type(a.atttypid, a.atttypmod) as type, not a.attnotnull as is_nullable,
         not a.attnotnull or a.atthasdef or a.attidentity <> '' as may_be_left_out
    from pg_class c join pg_attribute a on a.attrelid = c.oid
   where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition and a.attnum > 0 and not a.attisdropped order by 1`;
/** Those that statements call: a trigger calls its own by itself. */
const FUNCTIONS = `
  select p.proname as name, '(' || pg_get_function_arguments(p.oid) || ') returns ' || pg_get_function_result(p.oid) as signature
    from pg_proc p
   where p.pronamespace = 'public'::regnamespace and p.prorettype <> 'trigger'::regtype order by 1, 2`;

export async function readSchemaUses(databaseUrl: string): Promise<SchemaUses> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const columns = await client.query<{
      name: string;
      type: string;
      is_nullable: boolean;
      may_be_left_out: boolean;
    }>(COLUMNS);
    const functions = await client.query<{ name: string; signature: string }>(FUNCTIONS);
    const signatures = Map.groupBy(functions.rows, ({ name }) => name);
    return {
      columns: new Map(
        columns.rows.map(({ name, type, is_nullable, may_be_left_out }) => [
          name,
          { type, isNullable: is_nullable, mayBeLeftOut: may_be_left_out },
        ]),
      ),
      functions: new Map([...signatures].map(([name, rows]) => [name, rows.map((row) => row.signature)])),
    };
  } finally {
    await client.end();
  }
}

/** What code that knows `before` cannot do any more on `after`, a sentence each; nothing where the schema has only grown. */
export function lostUses(before: SchemaUses, after: SchemaUses): string[] {
  const lost: string[] = [];
  for (const [name, was] of before.columns) {
    const is = after.columns.get(name);
    if (is === undefined) lost.push(`${name} is gone`);
    else if (is.type !== was.type) lost.push(`${name} was ${was.type} and is ${is.type}`);
    else if (was.isNullable && !is.isNullable) lost.push(`${name} does not take null any more`);
  }
  const tables = new Set([...before.columns.keys()].map(tableOf));
  for (const [name, { mayBeLeftOut }] of after.columns) {
    if (tables.has(tableOf(name)) && !before.columns.has(name) && !mayBeLeftOut)
      lost.push(`${name} is new, and has to be given: rows cannot be inserted without it`);
  }
  for (const [name, were] of before.functions) {
    const are = after.functions.get(name) ?? [];
    for (const was of were) if (!are.includes(was)) lost.push(`${name}${was} is gone`);
    for (const is of are)
      if (!were.includes(is))
        lost.push(`${name}${is} is new: a function that differs needs a name of its own`);
  }
  return lost.sort();
}

function tableOf(column: string): string {
  return column.slice(0, column.indexOf('.'));
}
