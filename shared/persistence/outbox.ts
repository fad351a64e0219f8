import type { Outbox } from '../application/ports/publishing.ts';
import type { ClaimedEntry } from '../application/publishing-record.ts';
import type { Statements } from './database.ts';
import { PublishedEntries } from './published-entries.ts';

/** @param published keeps what is to be removed until it can go with a save; absent: it goes at once */
export function createOutbox(
  statements: Statements,
  published: PublishedEntries = publishedEntries(statements),
): Outbox {
  return {
    remove: (ids) => published.add(ids),
    async settle(settlements) {
      const rows = settlements.map(({ id, published, retryInMs, isRefused }) => ({
        id,
        published,
        retry_in_ms: retryInMs,
        is_refused: isRefused,
      }));
      await statements.execute('select settle_outbox($1)', [JSON.stringify(rows)]);
    },
  };
}

export function publishedEntries(statements: Statements): PublishedEntries {
  return new PublishedEntries((ids) => statements.execute('select remove_outbox($1)', [ids]));
}

interface ClaimOptions {
  readonly olderThanMs: number;
  readonly limit: number;
  /** Of JSON text together, or one row. */
  readonly maxBytes: number;
  /** How long nobody else claims them. */
  readonly leaseMs: number;
}

interface ClaimedRow {
  id: string;
  messages: ClaimedEntry['messages'];
  published: string | null;
  age_ms: number;
  refused_for_ms: number | null;
}

/** Rows that an invocation left behind, oldest first; those that another timekeeper has are skipped. */
export async function claimLeftBehind(
  statements: Statements,
  { olderThanMs, limit, maxBytes, leaseMs }: ClaimOptions,
): Promise<ClaimedEntry[]> {
  const rows = await statements.many<ClaimedRow>(
    `with left_behind as materialized (
       select id, octet_length(messages::text) as bytes from outbox
        where created_at < now() - $1 * interval '1 millisecond' and (retry_at is null or retry_at <= now())
        order by id limit $2 for update skip locked
     ), summed as (
       select id, sum(bytes) over (order by id) - bytes as bytes_before from left_behind
     )
     update outbox as o set retry_at = now() + $4 * interval '1 millisecond' from summed as l
      where o.id = l.id and l.bytes_before < $3
      returning o.id, o.messages,
        -- Of other messages, where the release before took some away.
        case when o.published is not null then
          case when length(o.published) = json_array_length(o.messages) then o.published::text end
        end as published,
        (extract(epoch from now() - o.created_at) * 1000)::float8 as age_ms,
        (extract(epoch from now() - o.refused_since) * 1000)::float8 as refused_for_ms`,
    [olderThanMs, limit, maxBytes, leaseMs],
  );
  return rows
    .map(({ age_ms: ageMs, refused_for_ms: refusedForMs, ...row }) => ({ ...row, ageMs, refusedForMs }))
    .sort((one, other) => (one.id < other.id ? -1 : 1));
}

/** A row that is not to be looked at for as long as it has waited, within bounds. */
export async function postponeOutbox(
  statements: Statements,
  id: string,
  { atLeastMs, atMostMs }: { readonly atLeastMs: number; readonly atMostMs: number },
): Promise<void> {
  await statements.execute(
    `update outbox set retry_at = now()
            + greatest($2 * interval '1 millisecond', least($3 * interval '1 millisecond', now() - created_at))
      where id = $1`,
    [id, atLeastMs, atMostMs],
  );
}

/** What was claimed and not sent is anybody's again. Rows that are being removed need no lease. */
export async function giveBackLeftBehind(statements: Statements, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  await statements.execute(
    `with mine as materialized (select id from outbox where id = any($1::uuid[]) for update skip locked)
     update outbox as o set retry_at = null from mine where o.id = mine.id`,
    [ids],
  );
}
