import { errors, jwtVerify } from 'jose';
import { ADMIN_ROLE, type Caller } from './caller.ts';

export type VerifyJwt = (token: string) => Promise<Caller | null>;

const CLOCK_TOLERANCE_SECONDS = 5;
const MAX_USER_ID_LENGTH = 255;

/**
 * HS256 only, whatever the token's header says: `alg: none` and tokens signed with a public key as if it were the secret are
 * refused by naming the one algorithm. `sub` and `exp` must be there; `communities` (integers) and `roles` (texts) may be.
 * @param secret JWT_SECRET; its UTF-8 bytes are the key. Null: no token is accepted.
 * @returns the verifier; it gives null for a token that is not to be trusted.
 */
export function createJwtVerifier(secret: string | null, now: () => Date = () => new Date()): VerifyJwt {
  if (secret === null) return async () => null;
  const key = new TextEncoder().encode(secret);
  return async (token) => {
    try {
      const { payload } = await jwtVerify(token, key, {
        algorithms: ['HS256'],
        requiredClaims: ['exp', 'sub'],
        clockTolerance: CLOCK_TOLERANCE_SECONDS,
        currentDate: now(),
      });
      return callerOf(payload);
    } catch (error) {
      if (error instanceof errors.JOSEError || error instanceof TypeError) return null;
      throw error;
    }
  };
}

function callerOf({ sub, communities = [], roles = [] }: Record<string, unknown>): Caller | null {
  if (typeof sub !== 'string' || sub.trim() === '' || sub.length > MAX_USER_ID_LENGTH) return null;
  if (sub.includes('\u0000') || !sub.isWellFormed()) return null;
  if (!Array.isArray(communities) || !communities.every((id) => Number.isSafeInteger(id))) return null;
  if (!Array.isArray(roles) || !roles.every((role) => typeof role === 'string')) return null;
  return { userId: sub, isAdmin: roles.includes(ADMIN_ROLE), communities, via: 'jwt', key: null };
}
