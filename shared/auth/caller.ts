import type { Tier } from '../config/rate-limits.ts';
import type { Scope } from '../config/scopes.ts';

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
  readonly scopes: readonly Scope[];
}

export function hasScope({ key }: Caller, scope: Scope): boolean {
  return key === null || key.scopes.length === 0 || key.scopes.includes(scope);
}

export const ADMIN_ROLE = 'admin';

/** AUTH_MODE=anonymous: whoever sends no credentials. */
export const anonymousCaller: Caller = {
  userId: 'anonymous',
  isAdmin: true,
  communities: [],
  via: 'anonymous',
  key: null,
};
