import pg from 'pg';

export interface KeptTable {
  readonly name: string;
  /** Those that are not generated from others. */
  readonly columns: readonly string[];
  /** JSON text each: a number or a document as Postgres prints it. */
  readonly rows: readonly string[];
}

const COLUMNS = `
  select c.relname as name, array_agg(a.attname::text order by a.attnum) as columns,
         array_agg(a.attname::text order by a.attnum) filter (where a.atttypid = 'timestamptz'::regtype) as times
    from pg_class c join pg_attribute a on a.attrelid = c.oid
   where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition and c.relname <> 'schema_migrations'
     and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
   group by c.relname order by c.relname`;

interface TableColumns {
  readonly name: string;
  readonly columns: string[];
  readonly times: string[] | null;
}

/** What all tables have but the migrations' own, which a restored schema has by itself. */
export async function readTables(databaseUrl: string): Promise<KeptTable[]> {
  return connected(databaseUrl, async (client) => {
    const { rows: tables } = await client.query<TableColumns>(COLUMNS);
    const kept: KeptTable[] = [];
    for (const { name, columns } of tables) {
      const { rows } = await client.query<{ row: string }>(
        `select row_to_json(r)::text as row from (select ${listed(columns)} from ${name}) r`,
      );
      kept.push({ name, columns, rows: rows.map(({ row }) => row) });
    }
    return kept;
  });
}

/**
 * Into tables as they were when they were read, as a dump is restored: what triggers did is in the rows.
 * @param laterByMs is added to all times, so that what was minutes ago then is minutes ago now
 */
export async function writeTables(
  databaseUrl: string,
  tables: readonly KeptTable[],
  laterByMs: number,
): Promise<void> {
  await connected(databaseUrl, async (client) => {
    await client.query("begin; set local session_replication_role = 'replica'");
    for (const { name, columns, rows } of tables) {
      await client.query(`delete from ${name}`);
      await client.query(
        `insert into ${name} (${listed(columns)}) select ${listed(columns)} from json_populate_recordset(null::${name}, $1)`,
        [`[${rows.join(',')}]`],
      );
    }
    const { rows: found } = await client.query<TableColumns>(COLUMNS);
    for (const { name, times } of found) {
      if (times === null) continue;
      const later = times.map((time) => `${time} = ${time} + $1 * interval '1 millisecond'`);
      await client.query(`update ${name} set ${later.join(', ')}`, [laterByMs]);
    }
    await client.query('commit');
  });
}

function listed(columns: readonly string[]): string {
  return columns.map((column) => `"${column}"`).join(', ');
}

async function connected<T>(databaseUrl: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
