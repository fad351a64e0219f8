/*
 * What API Gateway answers by itself, without the function: in the envelope's error format, since it cannot tell the faces apart.
 * The deployed API and the local one answer the same. Statuses are API Gateway's own: they tell an operator that it was not the
 * function that answered.
 */

/** API Gateway's name of the occasion. */
export type GatewayResponseType =
  | 'BAD_REQUEST_BODY'
  | 'BAD_REQUEST_PARAMETERS'
  | 'ACCESS_DENIED'
  | 'WAF_FILTERED'
  | 'MISSING_AUTHENTICATION_TOKEN'
  | 'RESOURCE_NOT_FOUND'
  | 'REQUEST_TOO_LARGE'
  | 'UNSUPPORTED_MEDIA_TYPE'
  | 'THROTTLED'
  | 'INTEGRATION_FAILURE'
  | 'INTEGRATION_TIMEOUT'
  | 'DEFAULT_4XX'
  | 'DEFAULT_5XX';

export interface GatewayResponse {
  /** Null: whatever status the occasion has. */
  readonly status: number | null;
  /** One of the API's. */
  readonly code: string;
  readonly message: string;
  readonly retryAfterSeconds?: number;
}

export const gatewayResponses: Readonly<Record<GatewayResponseType, GatewayResponse>> = {
  BAD_REQUEST_BODY: { status: 400, code: 'BAD_REQUEST', message: 'Expected a body that can be read' },
  BAD_REQUEST_PARAMETERS: {
    status: 400,
    code: 'BAD_REQUEST',
    message: 'Expected parameters that can be read',
  },
  ACCESS_DENIED: { status: 403, code: 'PERMISSION_DENIED', message: 'This request is not allowed' },
  WAF_FILTERED: {
    status: 403,
    code: 'PERMISSION_DENIED',
    message: 'The firewall refuses this request; the request id finds it in the log',
  },
  // Nothing here asks for AWS's own tokens: API Gateway says so of a path that it does not have.
  MISSING_AUTHENTICATION_TOKEN: { status: 404, code: 'NOT_FOUND', message: 'Path not found' },
  RESOURCE_NOT_FOUND: { status: 404, code: 'NOT_FOUND', message: 'Path not found' },
  REQUEST_TOO_LARGE: {
    status: 413,
    code: 'PAYLOAD_TOO_LARGE',
    // An event of Lambda is at most 6 MB, and a body in it is base64.
    message: 'Too large: expected a request of at most 4 MB',
  },
  UNSUPPORTED_MEDIA_TYPE: {
    status: 415,
    code: 'UNSUPPORTED_MEDIA_TYPE',
    message: 'Expected Content-Type: application/json',
  },
  THROTTLED: {
    status: 429,
    code: 'RATE_LIMITED',
    message: 'Too many requests to this API at once; try again',
    retryAfterSeconds: 1,
  },
  INTEGRATION_FAILURE: {
    status: 504,
    code: 'SERVICE_UNAVAILABLE',
    message: 'The API cannot be reached; try again',
    retryAfterSeconds: 2,
  },
  INTEGRATION_TIMEOUT: {
    status: 504,
    code: 'SERVICE_UNAVAILABLE',
    message: 'This took too long; try again',
    retryAfterSeconds: 2,
  },
  DEFAULT_4XX: { status: null, code: 'BAD_REQUEST', message: 'Expected a request that can be read' },
  DEFAULT_5XX: {
    status: null,
    code: 'INTERNAL_ERROR',
    message: 'Something went wrong here; the request id finds it in the log',
  },
};

/** @param requestId that API Gateway gave the request, or what stands for it in a template */
export function gatewayResponseBody({ code, message }: GatewayResponse, requestId: string) {
  return { success: false, message, error_code: code, details: { request_id: requestId } };
}

/**
 * Besides the content type and the request's id. The answer tells nothing of anybody, so that any page may read it where pages
 * of several origins may call: to compare origins is more than API Gateway can.
 * @param corsAllowedOrigins with commas, as the API's own variable has them
 */
export function gatewayResponseHeaders(
  { retryAfterSeconds }: GatewayResponse,
  corsAllowedOrigins: string,
): Readonly<Record<string, string>> {
  const origins = corsAllowedOrigins.split(',').map((each) => each.trim());
  const [origin, ...others] = origins.filter((each) => each !== '');
  return {
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    ...(retryAfterSeconds !== undefined && { 'Retry-After': String(retryAfterSeconds) }),
    ...(origin !== undefined && {
      'Access-Control-Allow-Origin': others.length === 0 ? origin : '*',
      'Access-Control-Expose-Headers': 'Retry-After, X-Request-Id',
    }),
  };
}
