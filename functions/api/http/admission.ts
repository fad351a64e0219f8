import type { APIGatewayProxyEvent } from 'aws-lambda';
import type { RowVersion } from '../../../shared/application/grounds.ts';
import { hasScope } from '../../../shared/auth/caller.ts';
import type { RateState } from '../../../shared/auth/rate-limiter.ts';
import type { ApiServices } from '../services.ts';
import { logAuthentication } from './accounting.ts';
import { ApiError } from './api-error.ts';
import { type Exchange, UNKNOWN_ADDRESS } from './exchange.ts';
import { headerOf, queryOf } from './gateway-event.ts';
import { rateHeaders } from './rate-headers.ts';
import { type AnyRoute, neededScopeOf } from './route.ts';

/**
 * Who calls, within their rate and their key's scope.
 * @param mayRemember whether a key may be taken for what it was when it was last read
 * @returns the key, where it was
 * @throws ApiError 401, 403 or 429
 */
export async function admit(
  route: AnyRoute,
  event: APIGatewayProxyEvent,
  services: ApiServices,
  exchange: Exchange,
  mayRemember = false,
): Promise<RowVersion | null> {
  if (route.authentication === 'none') return null;
  if (route.authentication === 'optional' && !route.needsCredentials?.(queryOf(event))) return null;
  const apiKey = headerOf(event, 'x-api-key');
  const authorization = headerOf(event, 'authorization');
  const authenticated = await services.authenticate({ apiKey, authorization }, mayRemember);
  if (!authenticated.ok) {
    // Who sends none has not tried any.
    const isAttempt = apiKey !== undefined || authorization !== undefined;
    if (isAttempt) await countFailure(services, exchange);
    const headers = { 'WWW-Authenticate': 'Bearer realm="stepline"' };
    throw new ApiError('UNAUTHORIZED', authenticated.message, { headers });
  }
  const { caller, afterwards, remembered } = authenticated;
  exchange.caller = caller;
  exchange.afterwards = afterwards;
  // Who is remembered is not let in for certain before it is compared.
  if (!mayRemember) logAuthentication(exchange, services);
  exchange.rate ??= await services.rateLimiter.admit(caller);
  refuseBeyond(exchange.rate, exchange);
  const scope = neededScopeOf(route);
  if (!hasScope(caller, scope)) {
    throw new ApiError('PERMISSION_DENIED', `This API key lacks the scope ${scope}`);
  }
  return remembered;
}

/** @throws ApiError 429 where too much that was wrong came from this address */
export async function countFailure(
  { rateLimiter }: Pick<ApiServices, 'rateLimiter'>,
  exchange: Exchange,
): Promise<void> {
  refuseBeyond(await rateLimiter.admitFailure(exchange.sourceAddress ?? UNKNOWN_ADDRESS), exchange);
}

function refuseBeyond(state: RateState, exchange: Exchange): void {
  exchange.headers = { ...exchange.headers, ...rateHeaders(state) };
  const { capacity, retryAfterSeconds } = state;
  if (retryAfterSeconds === null) return;
  throw new ApiError('RATE_LIMITED', `Too many requests: at most ${capacity} a minute`, {
    details: { retry_after_seconds: retryAfterSeconds },
    headers: { 'Retry-After': String(retryAfterSeconds) },
  });
}
