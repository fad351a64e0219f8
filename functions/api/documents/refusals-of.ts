import type { ErrorCode } from '../http/api-error.ts';
import { type AnyRoute, neededScopeOf } from '../http/route.ts';

export type Refusals = Readonly<Partial<Record<ErrorCode, string>>>;

/** When a route refuses, by code: what follows from its parts (`route.ts` has their order), then what it says of itself. */
export function refusalsOf(route: AnyRoute): Refusals {
  const { authentication, params, find, subjectName, query, body, takesIdempotencyKey, operation } = route;
  // Parameters that are not known are wrong, but for callers without credentials.
  const readsInput = authentication !== 'none' || query !== undefined || body !== undefined;
  const notFoundCode = subjectName === 'Workflow' ? 'WORKFLOW_NOT_FOUND' : 'NOT_FOUND';
  const derived: Refusals = {
    ...(readsInput && { BAD_REQUEST: 'A parameter or a field is wrong; each is named.' }),
    ...(authentication !== 'none' && {
      UNAUTHORIZED: 'Credentials are missing, wrong, revoked or expired.',
      PERMISSION_DENIED: `The API key lacks the scope \`${neededScopeOf(route)}\`.`,
      RATE_LIMITED: 'More requests than the tier allows; `Retry-After` says when to come back.',
    }),
    // The path carries what authenticates it.
    ...(authentication === 'none' &&
      find && {
        RATE_LIMITED: 'Too many wrong paths from this address; `Retry-After` says when to come back.',
      }),
    ...((params || find) && {
      [notFoundCode]: `${subjectName ?? 'What the path names'} is not there, or not for the caller to see.`,
    }),
    ...(takesIdempotencyKey && { CONFLICT: 'The `Idempotency-Key` came with another request before.' }),
    ...(body && {
      PAYLOAD_TOO_LARGE: `More than ${body.maxBytes} bytes of JSON, or a part that is too large by itself.`,
      UNSUPPORTED_MEDIA_TYPE: 'The body is not JSON, or is compressed.',
    }),
    ...(isAboutRun(route) && { EXECUTION_ERROR: 'A fault of the engine; `request_id` finds it in the log.' }),
    INTERNAL_ERROR: 'A fault here; `request_id`, as `X-Request-Id`, finds it in the log.',
    SERVICE_UNAVAILABLE: 'Something that the API needs is away; try again after `Retry-After`.',
  };
  const own = Object.entries(operation.refusals ?? {}) as [ErrorCode, string][];
  const both = own.map(([code, when]) => [code, [derived[code], when].filter(Boolean).join(' ')]);
  return { ...derived, ...Object.fromEntries(both) };
}

/** The engine decides what the call asks of the run. */
function isAboutRun({ method, subjectName }: AnyRoute): boolean {
  return method === 'POST' && ['Run', 'Execution', 'Callback'].includes(subjectName ?? '');
}
