import { MAX_PROBLEMS, type Problem, shortened } from '../../../shared/validation/problem.ts';

/** The path is dotted from the root of the body, or a parameter's or header's name; `''` is the whole body. */
export type { Problem };

export const errorCodes = {
  BAD_REQUEST: 400,
  UNAUTHORIZED: 401,
  PERMISSION_DENIED: 403,
  NOT_FOUND: 404,
  WORKFLOW_NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  CONFLICT: 409,
  PAYLOAD_TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  RATE_LIMITED: 429,
  EXECUTION_ERROR: 500,
  INTERNAL_ERROR: 500,
  SERVICE_UNAVAILABLE: 503,
  EXECUTION_TIMEOUT: 504,
} as const;

export type ErrorCode = keyof typeof errorCodes;

interface ErrorExtras {
  readonly details?: readonly Problem[] | Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

/** An answer that is not a success. What it says, the client reads. */
export class ApiError extends Error {
  readonly code: ErrorCode;
  readonly details: readonly Problem[] | Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: ErrorCode, message: string, { details = {}, headers = {}, cause }: ErrorExtras = {}) {
    super(message, { cause });
    this.code = code;
    this.details = details;
    this.headers = headers;
  }
}

/** In a message; its details have all. */
const MAX_NAMED = 3;
/** In characters. Both repeat what was sent: a hundred times a megabyte would be no answer. */
const MAX_PATH_LENGTH = 500;
const MAX_MESSAGE_LENGTH = 1_000;

export function badRequest(problems: readonly Problem[], { cause }: ErrorOptions = {}): ApiError {
  const details = listed(problems);
  const named = details.slice(0, MAX_NAMED).map(sentenceOf);
  const more = problems.length > named.length ? `; and ${problems.length - named.length} more` : '';
  return new ApiError('BAD_REQUEST', `Invalid request: ${named.join('; ')}${more}`, { details, cause });
}

export function tooLarge(problems: readonly Problem[]): ApiError {
  const details = listed(problems);
  return new ApiError('PAYLOAD_TOO_LARGE', `Too large: ${details.map(sentenceOf).join('; ')}`, { details });
}

function listed(problems: readonly Problem[]): Problem[] {
  return problems.slice(0, MAX_PROBLEMS).map(({ path, message }) => ({
    path: shortened(path, MAX_PATH_LENGTH),
    message: shortened(message, MAX_MESSAGE_LENGTH),
  }));
}

function sentenceOf({ path, message }: Problem): string {
  return path === '' ? message : `${path}: ${message}`;
}

/** @param what as in `Workflow not found`. */
export function notFound(what: string, code: 'NOT_FOUND' | 'WORKFLOW_NOT_FOUND' = 'NOT_FOUND'): ApiError {
  return new ApiError(code, `${what} not found`);
}

/** Try again soon: something that the API needs is away. */
export function unavailable(message: string, extras: ErrorExtras = {}): ApiError {
  return new ApiError('SERVICE_UNAVAILABLE', message, { ...extras, headers: { 'Retry-After': '2' } });
}
