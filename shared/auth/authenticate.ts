import { LRUCache } from 'lru-cache';
import type { RowVersion } from '../application/grounds.ts';
import type { KeyScope } from '../config/key-scopes.ts';
import type { Tier } from '../config/rate-limits.ts';
import { hashApiKey, looksLikeApiKey } from './api-key.ts';
import { ADMIN_ROLE, anonymousCaller, type Caller } from './caller.ts';
import type { VerifyJwt } from './jwt.ts';

export interface StoredApiKey {
  readonly id: string;
  /** Of its row. */
  readonly version: string;
  readonly userId: string;
  readonly roles: readonly string[];
  readonly communities: readonly number[];
  readonly tier: Tier;
  readonly scopes: readonly KeyScope[];
  readonly lastUsedAt: Date | null;
}

export interface ApiKeys {
  /** A key that is neither revoked nor expired. Asked at every request that is not compared with it later (grounds.ts), so that revoking works at once. */
  maybeFindApiKey(hash: Buffer): Promise<StoredApiKey | null>;
  recordApiKeyUse(id: string): Promise<void>;
}

export interface Credentials {
  readonly apiKey: string | undefined;
  /** The `Authorization` header. */
  readonly authorization: string | undefined;
}

export type AuthenticationResult =
  /** `afterwards`, where there is one, is to be started when the request has been served, and need not be waited for. */
  | {
      readonly ok: true;
      readonly caller: Caller;
      readonly afterwards: (() => Promise<void>) | null;
      /** The key, where it is remembered: what is done by it is compared with its row. */
      readonly remembered: RowVersion | null;
    }
  | { readonly ok: false; readonly message: string };

/** @param mayRemember whether a key that was let in before may be taken for what it was then, without a look at its row */
export type Authenticate = (credentials: Credentials, mayRemember?: boolean) => Promise<AuthenticationResult>;

export interface AuthenticateDeps {
  readonly apiKeys: ApiKeys;
  readonly verifyJwt: VerifyJwt;
  readonly mode: 'required' | 'anonymous';
  readonly now?: () => Date;
}

const USE_RECORDED_EVERY_MS = 60_000;
const MAX_REMEMBERED = 1_000;

/**
 * `X-API-Key`, or `Authorization: Bearer` with a JWT; the key decides where both are sent. Credentials that are there and wrong
 * are refused in anonymous mode too: whoever sends them does not want to be anybody else.
 */
export function createAuthenticate(deps: AuthenticateDeps): Authenticate {
  const { apiKeys, verifyJwt, mode, now = () => new Date() } = deps;

  // By the key's hash: a secret is nowhere kept.
  const lastSeen = new LRUCache<string, StoredApiKey>({ max: MAX_REMEMBERED });

  async function find(key: string, mayRemember: boolean) {
    if (!looksLikeApiKey(key)) return null;
    const hash = hashApiKey(key);
    const name = hash.toString('base64');
    const seen = mayRemember ? lastSeen.get(name) : undefined;
    if (seen) return { stored: seen, isRemembered: true };
    const stored = await apiKeys.maybeFindApiKey(hash);
    if (stored) lastSeen.set(name, stored);
    else lastSeen.delete(name);
    return stored && { stored, isRemembered: false };
  }

  async function byApiKey(key: string, mayRemember: boolean): Promise<AuthenticationResult> {
    const found = await find(key, mayRemember);
    if (!found) return { ok: false, message: 'The API key is unknown, revoked or expired' };
    const { stored, isRemembered } = found;
    const { id, version, userId, roles, communities, tier, scopes, lastUsedAt } = stored;
    const isRecorded = lastUsedAt !== null && now().getTime() - lastUsedAt.getTime() < USE_RECORDED_EVERY_MS;
    return {
      ok: true,
      caller: {
        userId,
        isAdmin: roles.includes(ADMIN_ROLE),
        communities,
        via: 'api_key',
        key: { id, tier, scopes },
      },
      afterwards: isRecorded ? null : () => apiKeys.recordApiKeyUse(id),
      remembered: isRemembered ? { id, version } : null,
    };
  }

  async function byToken(authorization: string): Promise<AuthenticationResult> {
    const token = /^Bearer +([^\s]+)$/i.exec(authorization)?.[1];
    if (token === undefined) return { ok: false, message: 'Expected Authorization: Bearer <JWT>' };
    const caller = await verifyJwt(token);
    if (!caller) return { ok: false, message: 'The token is invalid or expired' };
    return { ok: true, caller, afterwards: null, remembered: null };
  }

  return async ({ apiKey, authorization }, mayRemember = false) => {
    if (apiKey !== undefined) return byApiKey(apiKey, mayRemember);
    if (authorization !== undefined) return byToken(authorization);
    if (mode === 'anonymous')
      return { ok: true, caller: anonymousCaller, afterwards: null, remembered: null };
    return { ok: false, message: 'Send an API key in X-API-Key, or Authorization: Bearer <JWT>' };
  };
}
