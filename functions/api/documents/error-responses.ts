import * as z from 'zod';
import { type ErrorCode, errorCodes } from '../http/api-error.ts';
import { type HeaderName, headerReferences } from './headers.ts';
import type { Example, Response } from './openapi-types.ts';
import type { Refusals } from './refusals-of.ts';
import type { SchemaComponents } from './schema-components.ts';

const codes = Object.keys(errorCodes) as ErrorCode[];

const problem = z
  .strictObject({
    path: z
      .string()
      .describe("Dotted from the body's root, or the parameter's name.")
      .meta({ examples: ['steps.extract.agent_name'] }),
    message: z.string().meta({ examples: ['expected text'] }),
  })
  .meta({ id: 'Problem' });

export const errorBody = z
  .strictObject({
    success: z.literal(false),
    message: z.string(),
    error_code: z.enum(codes),
    details: z
      .union([z.array(problem), z.record(z.string(), z.unknown())])
      .describe('Every field that is wrong, or what else there is to say.'),
  })
  .meta({ id: 'Error' });

export const plainErrorBody = z
  .strictObject({ detail: z.string(), error_code: z.enum(codes) })
  .meta({ id: 'PlainError' });

const ownHeaders: Readonly<Partial<Record<ErrorCode, readonly HeaderName[]>>> = {
  UNAUTHORIZED: ['WWW-Authenticate', 'x-amzn-Remapped-WWW-Authenticate'],
  METHOD_NOT_ALLOWED: ['Allow'],
  UNSUPPORTED_MEDIA_TYPE: ['Accept', 'Accept-Encoding'],
  RATE_LIMITED: ['Retry-After'],
  SERVICE_UNAVAILABLE: ['Retry-After'],
};

interface ErrorSetting {
  readonly isPlain: boolean;
  readonly headers: readonly HeaderName[];
}

/** By status; the codes of one status are told apart by `error_code`. */
export function errorResponses(
  refusals: Refusals,
  { isPlain, headers }: ErrorSetting,
  components: SchemaComponents,
): Record<string, Response> {
  const given = Object.entries(refusals) as [ErrorCode, string][];
  const statuses = [...new Set(given.map(([code]) => errorCodes[code]))].sort();
  return Object.fromEntries(
    statuses.map((status) => {
      const these = given.filter(([code]) => errorCodes[code] === status);
      const body = components.add(isPlain ? plainErrorBody : errorBody, 'output');
      const schema = { ...body, properties: { error_code: { enum: these.map(([code]) => code) } } };
      const own = these.flatMap(([code]) => ownHeaders[code] ?? []);
      return [
        status,
        {
          description: these.map(([code, when]) => `\`${code}\`: ${when}`).join(' '),
          headers: headerReferences([...new Set([...headers, ...own])]),
          content: {
            'application/json': {
              schema,
              examples: Object.fromEntries(these.map(([code]) => [code, exampleOf(code, isPlain)])),
            },
          },
        },
      ];
    }),
  );
}

const messages: Readonly<Record<ErrorCode, string>> = {
  BAD_REQUEST: 'Invalid request: limit: expected a whole number from 1 to 1000',
  UNAUTHORIZED: 'Send an API key as X-API-Key, or a token as Authorization: Bearer',
  PERMISSION_DENIED: 'can_execute on this workflow is needed',
  NOT_FOUND: 'Run not found',
  WORKFLOW_NOT_FOUND: 'Workflow not found',
  METHOD_NOT_ALLOWED: 'Expected one of GET, HEAD, OPTIONS, POST here',
  CONFLICT: 'This Idempotency-Key came with another request before; use a new one',
  PAYLOAD_TOO_LARGE: 'Too large: input_data: expected at most 262144 bytes of JSON, got 300000',
  UNSUPPORTED_MEDIA_TYPE: 'Expected Content-Type: application/json, got "text/plain"',
  RATE_LIMITED: 'Too many requests: at most 100 a minute',
  EXECUTION_ERROR: 'The engine failed on this run; the request id finds it in the log',
  INTERNAL_ERROR: 'Something went wrong here; the request id finds it in the log',
  SERVICE_UNAVAILABLE: 'The database is not available; try again',
  EXECUTION_TIMEOUT: 'The test did not end within 25000 steps',
};

const details: Readonly<Partial<Record<ErrorCode, unknown>>> = {
  BAD_REQUEST: [{ path: 'limit', message: 'expected a whole number from 1 to 1000' }],
  PAYLOAD_TOO_LARGE: [{ path: 'input_data', message: 'expected at most 262144 bytes of JSON, got 300000' }],
  RATE_LIMITED: { retry_after_seconds: 1 },
  CONFLICT: { reason: 'IDEMPOTENCY_KEY_REUSED' },
  EXECUTION_ERROR: { request_id: '6f1c2b1e-8a55-4c0b-9d5c-3c8f3d0c7a11' },
  INTERNAL_ERROR: { request_id: '6f1c2b1e-8a55-4c0b-9d5c-3c8f3d0c7a11' },
  EXECUTION_TIMEOUT: { reason: 'step_limit' },
};

function exampleOf(code: ErrorCode, isPlain: boolean): Example {
  const message = messages[code];
  return {
    value: isPlain
      ? { detail: message, error_code: code }
      : { success: false, message, error_code: code, details: details[code] ?? {} },
  };
}
