import type { KeyScope } from '../config/key-scopes.ts';
import type { Tier } from '../config/rate-limits.ts';

/** Who asks, as the credentials say. */
export interface Caller {
  readonly userId: string;
  /** Sees and manages everybody's. */
  readonly isAdmin: boolean;
  readonly communities: readonly number[];
  readonly via: 'api_key' | 'jwt' | 'anonymous';
  /** The key that the caller sent, where it was one. */
  readonly key: CallerKey | null;
}

export interface CallerKey {
  readonly id: string;
  readonly tier: Tier;
  /** Empty: all that its user may do. */
  readonly scopes: readonly KeyScope[];
}

export function hasScope({ key }: Caller, scope: KeyScope): boolean {
  return key === null || key.scopes.length === 0 || key.scopes.includes(scope);
}

export const ADMIN_ROLE = 'admin';

/** Whose the first key of a deployment is. */
export const ADMIN_USER = 'admin';
const ANONYMOUS_USER = 'anonymous';
/** Users that only API keys are of. */
const KEY_USERS = 'key:';
/** Users that only tokens are of: those whose `sub` is a name that is not theirs. */
const TOKEN_USERS = 'token:';

/**
 * Whose a token is. A key's user and a token's `sub` are one user where they are one text: that is how a key of one's own, a
 * grant or an admin's key for somebody is theirs. But for the users that the deployment has by itself, and those that are named
 * to be of keys alone: whoever an issuer lets have such a `sub` is another user, of another name. An admin, who may see and do
 * all that they may, is whoever the token says.
 */
export function userOfToken(sub: string, isAdmin: boolean): string {
  const isTaken =
    sub === ADMIN_USER || sub === ANONYMOUS_USER || sub.startsWith(KEY_USERS) || sub.startsWith(TOKEN_USERS);
  return isTaken && !isAdmin ? TOKEN_USERS + sub : sub;
}

/** AUTH_MODE=anonymous: whoever sends no credentials. */
export const anonymousCaller: Caller = {
  userId: ANONYMOUS_USER,
  isAdmin: true,
  communities: [],
  via: 'anonymous',
  key: null,
};
