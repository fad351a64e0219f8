import { v7 as uuidv7 } from 'uuid';
import type { ApiKeys, StoredApiKey } from '../auth/authenticate.ts';
import type { Statements } from './database.ts';

export interface ApiKeyRecord {
  readonly hash: Buffer;
  readonly prefix: string;
  readonly name: string;
  readonly userId: string;
  readonly roles: readonly string[];
  readonly communities?: readonly number[];
  readonly tier?: string;
  readonly expiresAt?: Date | null;
}

interface KeyRow {
  id: string;
  user_id: string;
  roles: string[];
  communities: string[];
  last_used_at: Date | null;
}

export function createApiKeys(database: Statements): ApiKeys {
  return {
    async maybeFindApiKey(hash): Promise<StoredApiKey | null> {
      const row = await database.maybeOne<KeyRow>(
        `select id, user_id, roles, communities, last_used_at
         from api_keys
         where key_hash = $1 and revoked_at is null and (expires_at is null or expires_at > now())`,
        [hash],
      );
      if (!row) return null;
      return {
        id: row.id,
        userId: row.user_id,
        roles: row.roles,
        // The driver leaves the items of a bigint[] as text.
        communities: row.communities.map(Number),
        lastUsedAt: row.last_used_at,
      };
    },
    // Concurrent Lambdas all see the old time; the guard lets one of them write.
    async recordApiKeyUse(id) {
      await database.execute(
        `update api_keys set last_used_at = now()
         where id = $1 and (last_used_at is null or last_used_at < now() - interval '1 minute')`,
        [id],
      );
    },
  };
}

/** @returns the new key's id. */
export async function insertApiKey(database: Statements, record: ApiKeyRecord): Promise<string> {
  const { hash, prefix, name, userId, roles, communities = [], tier = 'standard', expiresAt = null } = record;
  const id = uuidv7();
  await database.execute(
    `insert into api_keys (id, key_hash, prefix, name, user_id, roles, communities, tier, expires_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    [id, hash, prefix, name, userId, roles, communities, tier, expiresAt],
  );
  return id;
}
