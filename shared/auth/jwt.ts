import { createRemoteJWKSet, decodeProtectedHeader, errors, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { ADMIN_ROLE, type Caller, userOfToken } from './caller.ts';

export type VerifyJwt = (token: string) => Promise<Caller | null>;

export interface JwtSettings {
  /** JWT_SECRET; its UTF-8 bytes are the key of HS256. Null: no such token is accepted. */
  readonly secret: string | null;
  /** Where the public keys of RS256, ES256 and EdDSA are. Null: no such token is accepted. */
  readonly jwksUrl: string | null;
  /** Checked where they are set. */
  readonly issuer: string | null;
  readonly audience: readonly string[];
}

/** The public keys cannot be had: nobody can say whether the token is good. */
export class JwksUnavailableError extends Error {
  readonly code = 'JWKS_UNAVAILABLE';
}

const CLOCK_TOLERANCE_SECONDS = 5;
const MAX_USER_ID_LENGTH = 255;
const JWKS_TIMEOUT_MS = 3_000;
const JWKS_KEPT_MS = 600_000;
const ASYMMETRIC = ['RS256', 'ES256', 'EdDSA', 'Ed25519'];

/**
 * The token's header says which of our keys it claims to be signed with, never how that key is used: the secret verifies HS256
 * and nothing else, public keys never do. So `alg: none` and tokens signed with a public key as if it were the secret are
 * refused. `sub` and `exp` must be there; `communities` (integers) and `roles` (texts) may be.
 * @returns the verifier; it gives null for a token that is not to be trusted
 * @throws JwksUnavailableError
 */
export function createJwtVerifier(settings: JwtSettings, now: () => Date = () => new Date()): VerifyJwt {
  const { secret, jwksUrl, issuer, audience } = settings;
  const secretKey = secret === null ? null : new TextEncoder().encode(secret);
  const publicKeys = jwksUrl === null ? null : publicKeysAt(new URL(jwksUrl));
  return async (token) => {
    try {
      const claims = {
        requiredClaims: ['exp', 'sub'],
        clockTolerance: CLOCK_TOLERANCE_SECONDS,
        currentDate: now(),
        ...(issuer !== null && { issuer }),
        ...(audience.length > 0 && { audience: [...audience] }),
      };
      const isSymmetric = decodeProtectedHeader(token).alg === 'HS256';
      if (isSymmetric && secretKey) {
        const { payload } = await jwtVerify(token, secretKey, { ...claims, algorithms: ['HS256'] });
        return callerOf(payload);
      }
      if (!isSymmetric && publicKeys) {
        const { payload } = await jwtVerify(token, publicKeys, { ...claims, algorithms: ASYMMETRIC });
        return callerOf(payload);
      }
      return null;
    } catch (error) {
      if (error instanceof errors.JOSEError || error instanceof TypeError) return null;
      throw error;
    }
  };
}

/** The token is at fault where the set has no such key; where the set cannot be had, it is not. */
function publicKeysAt(url: URL): JWTVerifyGetKey {
  const keys = createRemoteJWKSet(url, { timeoutDuration: JWKS_TIMEOUT_MS, cacheMaxAge: JWKS_KEPT_MS });
  return async (header, token) => {
    try {
      return await keys(header, token);
    } catch (cause) {
      if (cause instanceof errors.JWKSNoMatchingKey || cause instanceof errors.JWKSMultipleMatchingKeys) {
        throw cause;
      }
      throw new JwksUnavailableError('The key set of JWT_JWKS_URL cannot be read: see that it answers', {
        cause,
      });
    }
  };
}

function callerOf({ sub, communities = [], roles = [] }: Record<string, unknown>): Caller | null {
  if (typeof sub !== 'string' || sub.trim() === '') return null;
  if (sub.includes('\u0000') || !sub.isWellFormed()) return null;
  if (!Array.isArray(communities) || !communities.every((id) => Number.isSafeInteger(id))) return null;
  if (!Array.isArray(roles) || !roles.every((role) => typeof role === 'string')) return null;
  const isAdmin = roles.includes(ADMIN_ROLE);
  const userId = userOfToken(sub, isAdmin);
  return userId.length > MAX_USER_ID_LENGTH ? null : { userId, isAdmin, communities, via: 'jwt', key: null };
}
