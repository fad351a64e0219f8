import type { APIGatewayProxyEvent } from 'aws-lambda';
import { hasScope } from '../../shared/auth/caller.ts';
import type { RateState } from '../../shared/auth/rate-limiter.ts';
import { logAuthentication } from './accounting.ts';
import { ApiError } from './api-error.ts';
import type { Exchange } from './exchange.ts';
import { headerOf, queryOf } from './read-request.ts';
import { type AnyRoute, scopeOf } from './route.ts';
import type { ApiServices } from './services.ts';

/**
 * Who calls, within their rate and their key's scope.
 * @returns what is to be started when the request has been served, and need not be waited for
 * @throws ApiError 401, 403 or 429
 */
export async function admit(
  route: AnyRoute,
  event: APIGatewayProxyEvent,
  services: ApiServices,
  exchange: Exchange,
): Promise<(() => Promise<void>) | null> {
  if (route.authentication === 'none') return null;
  if (route.authentication === 'optional' && !route.needsCredentials?.(queryOf(event))) return null;
  const apiKey = headerOf(event, 'x-api-key');
  const authorization = headerOf(event, 'authorization');
  const authenticated = await services.authenticate({ apiKey, authorization });
  if (!authenticated.ok) {
    // Who sends none has not tried any.
    const isAttempt = apiKey !== undefined || authorization !== undefined;
    const address = event.requestContext?.identity?.sourceIp ?? 'unknown';
    if (isAttempt) refuseBeyond(await services.rateLimiter.admitFailure(address), exchange);
    const headers = { 'WWW-Authenticate': 'Bearer realm="stepline"' };
    throw new ApiError('UNAUTHORIZED', authenticated.message, { headers });
  }
  const { caller, afterwards } = authenticated;
  exchange.caller = caller;
  logAuthentication(exchange, services);
  refuseBeyond(await services.rateLimiter.admit(caller), exchange);
  const scope = scopeOf(route);
  if (!hasScope(caller, scope)) {
    throw new ApiError('PERMISSION_DENIED', `This API key lacks the scope ${scope}`);
  }
  return afterwards;
}

/** The headers are those of the IETF's draft-ietf-httpapi-ratelimit-headers-10. */
function refuseBeyond(state: RateState | null, exchange: Exchange): void {
  if (state === null) return;
  const { policy, capacity, remaining, resetSeconds, retryAfterSeconds } = state;
  exchange.headers = {
    ...exchange.headers,
    'RateLimit-Policy': `"${policy}";q=${capacity};w=60`,
    RateLimit: `"${policy}";r=${remaining};t=${resetSeconds}`,
  };
  if (retryAfterSeconds === null) return;
  throw new ApiError('RATE_LIMITED', `Too many requests: at most ${capacity} a minute`, {
    details: { retry_after_seconds: retryAfterSeconds },
    headers: { 'Retry-After': String(retryAfterSeconds) },
  });
}
