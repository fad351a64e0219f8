import type { APIGatewayProxyEvent } from 'aws-lambda';
import { v4 as uuidv4 } from 'uuid';
import type { Caller } from '../../../shared/auth/caller.ts';
import type { RateState } from '../../../shared/auth/rate-limiter.ts';
import type { ApiServices } from '../services.ts';
import { corsHeaders } from './cors.ts';
import { headerOf } from './gateway-event.ts';
import { rateHeaders } from './rate-headers.ts';
import type { AnyRoute } from './route.ts';

/** What becomes known of a request while it is served; a refusal half-way finds it here. */
export interface Exchange {
  /** The client's own, where it sends one, so that its log and ours can be read together. */
  readonly requestId: string;
  readonly sourceAddress: string | null;
  /** Null where the path names none. */
  route: AnyRoute | null;
  caller: Caller | null;
  /** Of the one token that the request takes, though it may be looked at twice. */
  rate: RateState | null;
  community: number | null;
  /** For the answer, whatever it is. */
  headers: Readonly<Record<string, string>>;
  /** To be started when the request has been served, and not waited for. */
  afterwards: (() => Promise<void>) | null;
}

/** What an id of a request may be: nothing that could forge a log line or a header. */
const REQUEST_ID = /^[\w.:-]{1,128}$/;

export function newExchange(
  event: APIGatewayProxyEvent,
  { corsAllowedOrigins, rateLimiter }: Pick<ApiServices, 'corsAllowedOrigins' | 'rateLimiter'>,
): Exchange {
  const given = headerOf(event, 'x-request-id') ?? '';
  const sourceAddress = event.requestContext?.identity?.sourceIp ?? null;
  return {
    requestId: REQUEST_ID.test(given) ? given : (event.requestContext?.requestId ?? uuidv4()),
    sourceAddress,
    route: null,
    caller: null,
    rate: null,
    community: null,
    // Until it is known who calls, what holds for where the call comes from.
    headers: {
      ...corsHeaders(event, corsAllowedOrigins),
      ...rateHeaders(rateLimiter.stateOfAddress(sourceAddress ?? UNKNOWN_ADDRESS)),
    },
    afterwards: null,
  };
}

export const UNKNOWN_ADDRESS = 'unknown';
