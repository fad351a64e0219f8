import type { ApiKeyRecord } from '../../shared/application/manage-api-keys.ts';
import { generateApiKey } from '../../shared/auth/api-key.ts';
import { insertApiKey } from '../../shared/persistence/api-keys.ts';
import type { Statements } from '../../shared/persistence/database.ts';

/** Without a rate limit, unless `more` says otherwise. @returns the key itself */
export async function makeApiKey(
  database: Statements,
  userId: string,
  more: Partial<ApiKeyRecord> = {},
): Promise<string> {
  const { key, hash, prefix } = generateApiKey();
  await insertApiKey(database, {
    hash,
    prefix,
    name: 'test',
    userId,
    roles: [],
    communities: [],
    tier: 'unlimited',
    scopes: [],
    expiresAt: null,
    ...more,
  });
  return key;
}
