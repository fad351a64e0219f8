import type { APIGatewayProxyEvent } from 'aws-lambda';
import { headerOf } from './gateway-event.ts';

const EXPOSED = 'ETag, Link, Location, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id';
const REQUEST_HEADERS =
  'Authorization, Content-Type, Idempotency-Key, If-None-Match, X-API-Key, X-Request-Id';
const PREFLIGHT_KEPT_SECONDS = 600;

/**
 * Lets pages of the allowed origins read answers. Credentials of a browser (cookies) are never meant: callers send theirs in
 * headers, so any origin can be allowed without lending anybody's identity.
 * @param allowed origins as browsers send them; `*` is any
 */
export function corsHeaders(
  event: APIGatewayProxyEvent,
  allowed: readonly string[],
): Readonly<Record<string, string>> {
  if (allowed.length === 0) return {};
  if (allowed.includes('*')) {
    return { 'Access-Control-Allow-Origin': '*', 'Access-Control-Expose-Headers': EXPOSED };
  }
  // Whether or not it is allowed, the answer depends on it: a cache must not hand it to another origin.
  const origin = headerOf(event, 'origin');
  if (origin === undefined || !allowed.includes(origin)) return { Vary: 'Origin' };
  return {
    'Access-Control-Allow-Origin': origin,
    'Access-Control-Expose-Headers': EXPOSED,
    Vary: 'Origin',
  };
}

/** @param allow the methods of the path, as in `Allow` */
export function preflightHeaders(
  cors: Readonly<Record<string, string>>,
  allow: string,
): Readonly<Record<string, string>> {
  if (cors['Access-Control-Allow-Origin'] === undefined) return { Allow: allow };
  return {
    Allow: allow,
    'Access-Control-Allow-Methods': allow,
    'Access-Control-Allow-Headers': REQUEST_HEADERS,
    'Access-Control-Max-Age': String(PREFLIGHT_KEPT_SECONDS),
  };
}
