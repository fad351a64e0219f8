import { v7 as uuidv7 } from 'uuid';
import type { AuditEntry } from '../application/audit.ts';
import type { ApiKeyRecord, ManagedApiKey, ManagedApiKeys } from '../application/manage-api-keys.ts';
import type { ApiKeys } from '../auth/authenticate.ts';
import type { KeyScope } from '../config/key-scopes.ts';
import type { Tier } from '../config/rate-limits.ts';
import { auditPart } from './audit-log.ts';
import type { Statements } from './database.ts';
import { exactTime, isBeyond, pageOf } from './keyset.ts';
import { Parameters } from './sql.ts';
import { canManageApiKey } from './visibility.ts';

interface KeyRow {
  id: string;
  user_id: string;
  roles: string[];
  communities: string[];
  tier: Tier;
  scopes: KeyScope[];
  last_used_at: Date | null;
}

interface ManagedKeyRow extends KeyRow {
  prefix: string;
  name: string;
  created_at: Date;
  expires_at: Date | null;
  revoked_at: Date | null;
}

const COLUMNS = `k.id, k.prefix, k.name, k.user_id, k.roles, k.communities, k.tier, k.scopes, k.created_at, k.expires_at,
  k.last_used_at, k.revoked_at`;

export function createApiKeys(database: Statements): ApiKeys & ManagedApiKeys {
  return {
    async maybeFindApiKey(hash) {
      const row = await database.maybeOne<KeyRow & { version: string }>(
        `select id, xmin::text as version, user_id, roles, communities, tier, scopes, last_used_at
         from api_keys
         where key_hash = $1 and revoked_at is null and (expires_at is null or expires_at > now())`,
        [hash],
      );
      return row && { ...authorityOf(row), version: row.version };
    },
    // Concurrent Lambdas all see the old time; the guard lets one of them write.
    async recordApiKeyUse(id) {
      await database.execute(
        `update api_keys set last_used_at = now()
         where id = $1 and (last_used_at is null or last_used_at < now() - interval '1 minute')`,
        [id],
      );
    },
    insertApiKey: (record, audit) => insertApiKey(database, record, audit),
    async maybeFindManagedApiKey(viewer, id) {
      const parameters = new Parameters();
      const row = await database.maybeOne<ManagedKeyRow>(
        `select ${COLUMNS} from api_keys k where k.id = ${parameters.add(id)} and ${canManageApiKey(viewer, parameters)}`,
        parameters.values,
      );
      return row && managedKeyOf(row);
    },
    async listApiKeys(userId, page) {
      const parameters = new Parameters();
      const key = { key: 'k.created_at', keyType: 'timestamptz', id: 'k.id' };
      const rows = await database.many<ManagedKeyRow & { position_key: string }>(
        `select ${COLUMNS}, ${exactTime('k.created_at')} as position_key
         from api_keys k
         where k.user_id = ${parameters.add(userId)} and ${isBeyond(page.after, key, '<', parameters)}
         order by k.created_at desc, k.id desc
         limit ${parameters.add(page.limit + 1)}`,
        parameters.values,
      );
      return pageOf(rows, page, (row) => ({ key: row.position_key, id: row.id }), managedKeyOf);
    },
    async revokeApiKey(viewer, id, audit) {
      const parameters = new Parameters();
      const row = await database.maybeOne<ManagedKeyRow>(
        `with revoked as (
           update api_keys k set revoked_at = now()
           where k.id = ${parameters.add(id)} and k.revoked_at is null and ${canManageApiKey(viewer, parameters)}
           returning ${COLUMNS}
         ), ${auditPart(audit, 'revoked', 'id', parameters)}
         select * from revoked`,
        parameters.values,
      );
      return row && managedKeyOf(row);
    },
  };
}

/** @param audit who asks for it; without it the deployment does */
export async function insertApiKey(
  database: Statements,
  record: ApiKeyRecord,
  audit?: AuditEntry,
): Promise<ManagedApiKey> {
  const { hash, prefix, name, userId, roles, communities, tier, scopes, expiresAt } = record;
  const parameters = new Parameters();
  const values = [uuidv7(), hash, prefix, name, userId, roles, communities, tier, scopes, expiresAt];
  const row = await database.one<ManagedKeyRow>(
    `with made as (
       insert into api_keys as k (id, key_hash, prefix, name, user_id, roles, communities, tier, scopes, expires_at)
       values (${values.map((value) => parameters.add(value)).join(', ')})
       returning ${COLUMNS}
     ) ${audit ? `, ${auditPart(audit, 'made', 'id', parameters)}` : ''}
     select * from made`,
    parameters.values,
  );
  return managedKeyOf(row);
}

function authorityOf({ id, user_id, roles, communities, tier, scopes, last_used_at }: KeyRow) {
  return {
    id,
    userId: user_id,
    roles,
    // The driver leaves the items of a bigint[] as text.
    communities: communities.map(Number),
    tier,
    scopes,
    lastUsedAt: last_used_at,
  };
}

function managedKeyOf(row: ManagedKeyRow): ManagedApiKey {
  const { prefix, name, created_at, expires_at, revoked_at } = row;
  return {
    ...authorityOf(row),
    prefix,
    name,
    createdAt: created_at,
    expiresAt: expires_at,
    revokedAt: revoked_at,
  };
}
