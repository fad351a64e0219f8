import { scopes as allScopes, type KeyScope } from '../config/key-scopes.ts';
import type { Tier } from '../config/rate-limits.ts';
import type { AuditEntry } from './audit.ts';
import type { Page, PageRequest } from './page.ts';
import type { Viewer } from './permissions.ts';

/** A key as its owner sees it: by its prefix; the key itself is not kept. */
export interface ManagedApiKey {
  readonly id: string;
  readonly prefix: string;
  readonly name: string;
  readonly userId: string;
  readonly roles: readonly string[];
  readonly communities: readonly number[];
  readonly tier: Tier;
  /** Empty: all that its user may do. */
  readonly scopes: readonly KeyScope[];
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
  readonly lastUsedAt: Date | null;
  readonly revokedAt: Date | null;
}

export interface ApiKeyRecord {
  readonly hash: Buffer;
  readonly prefix: string;
  readonly name: string;
  readonly userId: string;
  readonly roles: readonly string[];
  readonly communities: readonly number[];
  readonly tier: Tier;
  readonly scopes: readonly KeyScope[];
  readonly expiresAt: Date | null;
}

export interface ManagedApiKeys {
  insertApiKey(record: ApiKeyRecord, audit: AuditEntry): Promise<ManagedApiKey>;
  maybeFindManagedApiKey(viewer: Viewer, id: string): Promise<ManagedApiKey | null>;
  /** Of one user, newest first; revoked and expired ones too. */
  listApiKeys(userId: string, page: PageRequest): Promise<Page<ManagedApiKey>>;
  /** From then on it is refused. Null where the viewer has no such key that is not revoked already. */
  revokeApiKey(viewer: Viewer, id: string, audit: AuditEntry): Promise<ManagedApiKey | null>;
}

export interface ApiKeyRequest {
  readonly name: string;
  /** Undefined: the caller's own. */
  readonly userId: string | undefined;
  readonly tier: Tier;
  /** Undefined: those of the key that asks. */
  readonly scopes: readonly KeyScope[] | undefined;
  readonly roles: readonly string[] | undefined;
  readonly communities: readonly number[] | undefined;
  readonly expiresAt: Date | null;
}

/** Who asks, and the scopes of the key that they ask with; empty where nothing narrows them. */
export interface ApiKeyMaker extends Viewer {
  readonly scopes: readonly KeyScope[];
}

export type CreatedApiKey =
  /** `key` is shown this once. */
  | { readonly ok: true; readonly apiKey: ManagedApiKey; readonly key: string }
  | {
      readonly ok: false;
      readonly code:
        | 'USER_NOT_PERMITTED'
        | 'TIER_NOT_PERMITTED'
        | 'ROLES_NOT_PERMITTED'
        | 'COMMUNITIES_NOT_PERMITTED'
        | 'SCOPES_NOT_PERMITTED';
    };

export type CreateApiKey = (
  maker: ApiKeyMaker,
  request: ApiKeyRequest,
  audit: AuditEntry,
) => Promise<CreatedApiKey>;

/** The one role that the API knows. */
const ADMIN = 'admin';

/**
 * A key for oneself is oneself: it carries the caller's role and communities unless it is to carry less. For another user, which
 * only an admin may ask for, it carries what is asked for and nothing else. No key makes a key that may do more than itself.
 */
export function createCreateApiKey(
  keys: Pick<ManagedApiKeys, 'insertApiKey'>,
  generate: () => { readonly key: string; readonly hash: Buffer; readonly prefix: string },
): CreateApiKey {
  return async (maker, request, audit) => {
    const { name, tier, expiresAt, userId = maker.userId } = request;
    const isOwn = userId === maker.userId;
    const own = { roles: maker.isAdmin ? [ADMIN] : [], communities: maker.communities };
    const { roles = isOwn ? own.roles : [], communities = isOwn ? own.communities : [] } = request;
    const { scopes = maker.scopes } = request;
    const refused = (code: Exclude<CreatedApiKey, { ok: true }>['code']) => ({ ok: false, code }) as const;

    if (!isWithin(scopes, maker.scopes)) return refused('SCOPES_NOT_PERMITTED');
    if (!maker.isAdmin) {
      if (!isOwn) return refused('USER_NOT_PERMITTED');
      if (tier !== 'standard') return refused('TIER_NOT_PERMITTED');
      if (roles.length > 0) return refused('ROLES_NOT_PERMITTED');
      if (!communities.every((id) => maker.communities.includes(id)))
        return refused('COMMUNITIES_NOT_PERMITTED');
    }
    const { key, hash, prefix } = generate();
    const record = { hash, prefix, name, userId, roles, communities, tier, scopes, expiresAt };
    return { ok: true, apiKey: await keys.insertApiKey(record, audit), key };
  };
}

/** An empty list stands for all scopes. */
function isWithin(asked: readonly KeyScope[], own: readonly KeyScope[]): boolean {
  const granted = own.length === 0 ? allScopes : own;
  return (asked.length === 0 ? allScopes : asked).every((scope) => granted.includes(scope));
}
