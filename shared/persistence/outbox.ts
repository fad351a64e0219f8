import type { Outbox, OutboxEntry } from '../application/ports.ts';
import type { Database, Statements } from './database.ts';

export function insertOutbox(statements: Statements, entries: readonly OutboxEntry[]): Promise<number> {
  const rows = entries.map(({ id, runId, messages }) => ({ id, run_id: runId, messages }));
  return statements.execute(
    `insert into outbox (id, run_id, messages)
     select id, run_id, messages from json_to_recordset($1::json) as v (id uuid, run_id text, messages json)`,
    [JSON.stringify(rows)],
  );
}

export function createOutbox(database: Database): Outbox {
  return {
    /** The commit does not wait for the disk: a delete that is lost only costs a duplicate (design §3). */
    async remove(ids) {
      await database.transaction((statements) => removeOutbox(statements, ids), { synchronousCommit: false });
    },
  };
}

export function removeOutbox(statements: Statements, ids: readonly string[]): Promise<number> {
  return statements.execute('delete from outbox where id = any($1::uuid[])', [ids]);
}

/** Rows that an invocation left behind, oldest first, locked; those that another timekeeper has are skipped. */
export async function claimLeftBehind(
  statements: Statements,
  { olderThanMs, limit }: { readonly olderThanMs: number; readonly limit: number },
): Promise<OutboxEntry[]> {
  const rows = await statements.many<{ id: string; run_id: string; messages: OutboxEntry['messages'] }>(
    `select id, run_id, messages from outbox
      where created_at < now() - $1 * interval '1 millisecond' order by id limit $2 for update skip locked`,
    [olderThanMs, limit],
  );
  return rows.map(({ id, run_id, messages }) => ({ id, runId: run_id, messages }));
}
