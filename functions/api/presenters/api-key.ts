import * as z from 'zod';
import type { ManagedApiKey } from '../../../shared/application/manage-api-keys.ts';
import { scopes } from '../../../shared/config/key-scopes.ts';
import { tiers } from '../../../shared/config/rate-limits.ts';
import { timestamp, uuid } from '../fields/response-fields.ts';
import { isoOf } from './times.ts';

const fields = {
  id: uuid,
  name: z.string().meta({ examples: ['ci'] }),
  prefix: z
    .string()
    .describe('What the key begins with, to recognise it by.')
    .meta({ examples: ['sl_3f9a1c2b'] }),
  user_id: z.string().meta({ examples: ['user@example.com'] }),
  tier: z.enum(tiers),
  scopes: z.array(z.enum(scopes)).describe('Empty: all that its user may do.'),
  roles: z.array(z.string()).meta({ examples: [[]] }),
  communities: z.array(z.int()).meta({ examples: [[123]] }),
  created_at: timestamp,
  expires_at: timestamp.nullable().meta({ examples: [null] }),
  last_used_at: timestamp.nullable().meta({ examples: [null] }),
  revoked_at: timestamp.nullable().meta({ examples: [null] }),
};

export const shownApiKey = z.strictObject(fields).meta({ id: 'ApiKey' });

export const madeApiKey = z
  .strictObject({ ...fields, api_key: z.string().describe('The key itself, shown this once.') })
  .meta({ id: 'MadeApiKey' });

/** @param key where it was made just now: it is shown this once. */
export function presentApiKey(
  apiKey: ManagedApiKey,
  key: string | null = null,
): z.infer<typeof shownApiKey> & { api_key?: string } {
  const { id, name, prefix, userId, roles, communities, tier, scopes } = apiKey;
  return {
    id,
    name,
    prefix,
    user_id: userId,
    tier,
    scopes: [...scopes],
    roles: [...roles],
    communities: [...communities],
    ...(key !== null && { api_key: key }),
    created_at: apiKey.createdAt.toISOString(),
    expires_at: isoOf(apiKey.expiresAt),
    last_used_at: isoOf(apiKey.lastUsedAt),
    revoked_at: isoOf(apiKey.revokedAt),
  };
}
