import type { ManagedApiKey } from '../../../shared/application/manage-api-keys.ts';
import { isoOf } from './run.ts';

/** @param key where it was made just now: it is shown this once. */
export function presentApiKey(apiKey: ManagedApiKey, key: string | null = null) {
  const { id, name, prefix, userId, roles, communities, tier, scopes } = apiKey;
  return {
    id,
    name,
    prefix,
    user_id: userId,
    tier,
    scopes,
    roles,
    communities,
    ...(key !== null && { api_key: key }),
    created_at: apiKey.createdAt.toISOString(),
    expires_at: isoOf(apiKey.expiresAt),
    last_used_at: isoOf(apiKey.lastUsedAt),
    revoked_at: isoOf(apiKey.revokedAt),
  };
}
