import type { Outbox, OutboxEntry } from '../application/ports.ts';
import type { Statements } from './database.ts';

export function createOutbox(statements: Statements): Outbox {
  return {
    async remove(ids) {
      await statements.execute('select remove_outbox($1)', [ids]);
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
