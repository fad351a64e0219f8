import { v7 as uuidv7 } from 'uuid';
import { ADMIN_ROLE, ADMIN_USER } from '../auth/caller.ts';
import { openDatabase } from './database.ts';

/** The key that a deployment begins with: of a user that no token is of, without a rate limit. Made once; a revoked one stays revoked. */
export async function ensureAdminKey(
  databaseUrl: string,
  { hash, prefix }: { readonly hash: string; readonly prefix: string },
): Promise<void> {
  const database = openDatabase({ url: databaseUrl });
  try {
    await database.execute(
      `insert into api_keys (id, key_hash, prefix, name, user_id, roles, tier)
       values ($1, decode($2, 'hex'), $3, 'first admin key', $4, array[$5], 'unlimited')
       on conflict (key_hash) do nothing`,
      [uuidv7(), hash, prefix, ADMIN_USER, ADMIN_ROLE],
    );
  } finally {
    await database.close();
  }
}
