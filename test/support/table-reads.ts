import type { Database } from '../../shared/persistence/database.ts';

export interface TableReads {
  /** Tables that were read from end to end. */
  readonly wholeTables: string[];
  /** Of tables and their indexes, whether they were in memory or not. An index that is read from end to end shows here only. */
  readonly blocks: number;
}

interface Counters {
  readonly name: string;
  readonly scans: number;
  readonly blocks: number;
}

/**
 * What `work` made a connection read, by Postgres' own counters: they see into functions and triggers, which EXPLAIN does not.
 * The database must be of one connection, which alone is at work.
 */
export async function readsDuring(database: Database, work: () => Promise<unknown>): Promise<TableReads> {
  const before = new Map((await countersOf(database)).map((table) => [table.name, table]));
  await work();
  const reads = (await countersOf(database)).map(({ name, scans, blocks }) => ({
    name,
    scans: scans - (before.get(name)?.scans ?? 0),
    blocks: blocks - (before.get(name)?.blocks ?? 0),
  }));
  return {
    wholeTables: reads.filter(({ scans }) => scans > 0).map(({ name }) => name),
    blocks: reads.reduce((sum, { blocks }) => sum + blocks, 0),
  };
}

/** The tables that `work` made the connection read anything of, or of their indexes. */
export async function tablesReadDuring(database: Database, work: () => Promise<unknown>): Promise<string[]> {
  const before = new Map((await countersOf(database)).map(({ name, blocks }) => [name, blocks]));
  await work();
  return (await countersOf(database)).flatMap(({ name, blocks }) =>
    blocks > (before.get(name) ?? 0) ? [name] : [],
  );
}

async function countersOf(database: Database): Promise<Counters[]> {
  // A connection tells its counters when it is idle next, and about once a second unless it is told to.
  await database.many('select pg_stat_force_next_flush()');
  return database.many<Counters>(
    `select relname as name, seq_scan as scans,
            heap_blks_read + heap_blks_hit + coalesce(idx_blks_read + idx_blks_hit, 0) as blocks
       from pg_stat_user_tables join pg_statio_user_tables using (relid, relname) order by relname`,
  );
}
