import type { Outbox, OutboxEntry } from '../application/ports.ts';
import type { Statements } from './database.ts';

export function createOutbox(statements: Statements): Outbox {
  return {
    async remove(ids) {
      await statements.execute('select remove_outbox($1)', [ids]);
    },
  };
}

/**
 * What Kafka refused of a row's messages is left for later: for as long as it has waited, within bounds. What nobody can publish for
 * hours does not come first of all at every look.
 */
export function postponeOutbox(
  statements: Statements,
  { id, messages }: OutboxEntry,
  { atLeastMs, atMostMs }: { readonly atLeastMs: number; readonly atMostMs: number },
): Promise<number> {
  return statements.execute(
    `update outbox set messages = $2, retry_at = now()
            + greatest($3 * interval '1 millisecond', least($4 * interval '1 millisecond', now() - created_at))
      where id = $1`,
    [id, JSON.stringify(messages), atLeastMs, atMostMs],
  );
}

interface ClaimOptions {
  readonly olderThanMs: number;
  readonly limit: number;
  /** Of JSON text together, or one row. */
  readonly maxBytes: number;
  /** How long nobody else claims them. */
  readonly leaseMs: number;
}

/** Rows that an invocation left behind, oldest first; those that another timekeeper has are skipped. */
export async function claimLeftBehind(
  statements: Statements,
  { olderThanMs, limit, maxBytes, leaseMs }: ClaimOptions,
): Promise<OutboxEntry[]> {
  const entries = await statements.many<{ id: string; messages: OutboxEntry['messages'] }>(
    `with left_behind as materialized (
       select id, octet_length(messages::text) as bytes from outbox
        where created_at < now() - $1 * interval '1 millisecond' and (retry_at is null or retry_at <= now())
        order by id limit $2 for update skip locked
     ), summed as (
       select id, sum(bytes) over (order by id) - bytes as bytes_before from left_behind
     )
     update outbox as o set retry_at = now() + $4 * interval '1 millisecond' from summed as l
      where o.id = l.id and l.bytes_before < $3
      returning o.id, o.messages`,
    [olderThanMs, limit, maxBytes, leaseMs],
  );
  return entries.sort((one, other) => (one.id < other.id ? -1 : 1));
}

/** What was claimed and not published is anybody's again. Rows that are being removed need no lease. */
export async function giveBackLeftBehind(
  statements: Statements,
  entries: readonly OutboxEntry[],
): Promise<void> {
  if (entries.length === 0) return;
  await statements.execute(
    `with mine as materialized (select id from outbox where id = any($1::uuid[]) for update skip locked)
     update outbox as o set retry_at = null from mine where o.id = mine.id`,
    [entries.map(({ id }) => id)],
  );
}
