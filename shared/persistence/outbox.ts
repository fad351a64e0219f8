import type { Outbox, OutboxEntry } from '../application/ports.ts';
import type { Database, Statements } from './database.ts';

export function insertOutbox(statements: Statements, { id, messages }: OutboxEntry): Promise<number> {
  return statements.execute('insert into outbox (id, messages) values ($1, $2)', [
    id,
    JSON.stringify(messages),
  ]);
}

export function createOutbox(database: Database): Outbox {
  return {
    /**
     * The commit does not wait for the disk: a delete that is lost only costs a duplicate (design §3). The setting holds for
     * this one statement, which is its own transaction: a round trip instead of four.
     */
    async remove(ids) {
      await database.execute(
        `with lazily as materialized (select set_config('synchronous_commit', 'off', true))
         delete from outbox using lazily where id = any($1::uuid[])`,
        [ids],
      );
    },
  };
}

export function removeOutbox(statements: Statements, ids: readonly string[]): Promise<number> {
  return statements.execute('delete from outbox where id = any($1::uuid[])', [ids]);
}

/** What Kafka refused of a row's messages is left for later. */
export function postponeOutbox(
  statements: Statements,
  { id, messages }: OutboxEntry,
  delayMs: number,
): Promise<number> {
  return statements.execute(
    `update outbox set messages = $2, retry_at = now() + $3 * interval '1 millisecond' where id = $1`,
    [id, JSON.stringify(messages), delayMs],
  );
}

/** Rows that an invocation left behind, oldest first, locked; those that another timekeeper has are skipped. */
export async function claimLeftBehind(
  statements: Statements,
  { olderThanMs, limit }: { readonly olderThanMs: number; readonly limit: number },
): Promise<OutboxEntry[]> {
  return statements.many<{ id: string; messages: OutboxEntry['messages'] }>(
    `select id, messages from outbox
      where created_at < now() - $1 * interval '1 millisecond' and (retry_at is null or retry_at <= now())
      order by id limit $2 for update skip locked`,
    [olderThanMs, limit],
  );
}
