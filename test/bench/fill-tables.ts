import { type Database, openDatabase } from '../../shared/persistence/database.ts';

const RUNS_AT_ONCE = 20_000;

/**
 * Copies a run that has ended, with all that is kept of it, until so many attempts stand beside it. Which tables and columns there are is
 * read from the catalogue: what a finished run leaves behind is what is copied.
 */
export async function fillTables(
  databaseUrl: string,
  { runId, steps }: { readonly runId: string; readonly steps: number },
  attempts: number,
): Promise<void> {
  const database = openDatabase({ url: databaseUrl });
  try {
    const tables = await tablesOfRuns(database);
    const runs = Math.ceil(attempts / steps);
    for (let made = 0; made < runs; made += RUNS_AT_ONCE) {
      const count = Math.min(RUNS_AT_ONCE, runs - made);
      await database.transaction(async (statements) => {
        // Neither triggers nor foreign keys: what they would do for a copy they did for the run.
        await statements.execute("set local session_replication_role = 'replica'");
        await statements.execute('create temporary table copies (copy uuid) on commit drop');
        await statements.execute('insert into copies select uuidv7() from generate_series(1, $1)', [count]);
        for (const table of tables) await statements.execute(copyOf(table), [runId]);
      });
      if ((made / RUNS_AT_ONCE) % 10 === 9)
        console.log(`${((made + count) * steps).toLocaleString('en')} attempts are there.`);
    }
    const { there } = await database.one<{ there: number }>('select count(*) as there from step_executions');
    if (there < attempts)
      throw new Error(`Only ${there} of ${attempts} attempts are there: what is kept of a run?`);
    await database.execute('vacuum analyze');
    await database.execute('checkpoint');
  } finally {
    await database.close();
  }
}

interface RunTable {
  readonly name: string;
  readonly columns: readonly { readonly name: string; readonly type: string }[];
}

/** Those that say of which run a row is; a partition is filled by its table. */
async function tablesOfRuns(database: Database): Promise<RunTable[]> {
  const rows = await database.many<{ table: string; column: string; type: string }>(`
    select c.relname as table, a.attname as column, format_type(a.atttypid, null) as type
      from pg_class c join pg_attribute a on a.attrelid = c.oid
     where c.relkind in ('r', 'p') and not c.relispartition and c.relnamespace = 'public'::regnamespace
       and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' and a.attidentity = ''
       and exists (select from pg_attribute r where r.attrelid = c.oid and r.attname = 'run_id' and not r.attisdropped)
     order by c.relname, a.attnum`);
  const tables = Map.groupBy(rows, ({ table }) => table);
  return [...tables].map(([name, columns]) => ({
    name,
    columns: columns.map(({ column, type }) => ({ name: column, type })),
  }));
}

function copyOf({ name, columns }: RunTable): string {
  // A run's id is its row's; every other row, an attempt's, has an id of its own, in one column or two.
  const ids = name === 'workflow_runs' ? 'copy' : 'fresh';
  const values = columns.map((column) => {
    if (column.name === 'run_id') return `'run-' || copy`;
    if (column.name === 'id' || column.name === 'step_execution_id') return `${ids}::text::${column.type}`;
    return `t."${column.name}"`;
  });
  const names = columns.map((column) => `"${column.name}"`).join(', ');
  return `
    insert into ${name} (${names})
    select ${values.join(', ')}
      from (select original.*, copy, uuidv7() as fresh from ${name} original, copies where original.run_id = $1) t`;
}
