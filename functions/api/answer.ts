import type { APIGatewayProxyResult } from 'aws-lambda';
import { type ApiError, errorCodes } from './api-error.ts';

/** A success, in the envelope `{success, message, data, meta}`. */
export interface Answer {
  readonly status: 200 | 201 | 202;
  readonly message: string;
  readonly data: unknown;
  readonly meta?: Readonly<Record<string, unknown>>;
  /** Fields beside the envelope's, where clients look for them: an `id`, a `run_id`, a `status`. */
  readonly beside?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
}

// Answers are JSON about one caller's data: no browser is to render, frame, sniff or store them.
const HEADERS = {
  'Content-Type': 'application/json; charset=utf-8',
  'Cache-Control': 'no-store',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Referrer-Policy': 'no-referrer',
  'Strict-Transport-Security': 'max-age=31536000; includeSubDomains',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
};

export function resultOf(answer: Answer, requestId: string): APIGatewayProxyResult {
  const { status, message, data, meta = {}, beside, headers } = answer;
  return result(status, { success: true, message, data, meta, ...beside }, requestId, headers);
}

export function resultOfError(error: ApiError, requestId: string): APIGatewayProxyResult {
  const { code, message, details, headers } = error;
  return result(errorCodes[code], { success: false, message, error_code: code, details }, requestId, headers);
}

function result(
  statusCode: number,
  body: unknown,
  requestId: string,
  headers?: Readonly<Record<string, string>>,
): APIGatewayProxyResult {
  return {
    statusCode,
    headers: { ...HEADERS, 'X-Request-Id': requestId, ...headers },
    body: JSON.stringify(body),
    isBase64Encoded: false,
  };
}
