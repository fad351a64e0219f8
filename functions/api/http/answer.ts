import { createHash } from 'node:crypto';
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
  /** It is about what has ended: the client may keep it, and ask with its ETag whether it still holds. */
  readonly isFinal?: boolean;
  /** What was asked for was so already, or only counted: there is no AUDIT of it. */
  readonly changesNothing?: boolean | undefined;
}

/** A success of the plain face, which has no envelope. */
export interface PlainAnswer extends Pick<Answer, 'status' | 'headers' | 'isFinal' | 'changesNothing'> {
  readonly plain: unknown;
}

/** A success that is text of its own: a document, say. */
export interface TextAnswer extends Pick<Answer, 'status' | 'headers' | 'isFinal' | 'changesNothing'> {
  readonly text: string;
  readonly contentType: string;
  /** The same for everybody: anybody may keep it for a while, and ask with its ETag whether it still holds. */
  readonly isPublic?: boolean;
}

export type AnyAnswer = Answer | PlainAnswer | TextAnswer;

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

/** What has ended may begin again (a retry), so a kept answer is asked after each time; and it is one caller's. */
const FINAL_HEADERS = { 'Cache-Control': 'private, no-cache', Vary: 'Authorization, X-API-Key' };
const PUBLIC_HEADERS = { 'Cache-Control': 'public, max-age=300' };

/** @param ifNoneMatch the request's header: an answer that its sender has already is 304, without a body. */
export function resultOf(answer: AnyAnswer, requestId: string, ifNoneMatch?: string): APIGatewayProxyResult {
  const { status } = answer;
  const text = textOf(answer);
  const headers = { ...('text' in answer && { 'Content-Type': answer.contentType }), ...answer.headers };
  const keeping = keepingHeadersOf(answer);
  if (keeping === null) return result(status, text, requestId, headers);
  // Of the text itself: it changes with whatever the answer says, a later version's new field too.
  const etag = `"${createHash('sha256').update(text).digest('base64url')}"`;
  const kept = result(status, text, requestId, { ...keeping, ETag: etag, ...headers });
  return isMatch(ifNoneMatch, etag) ? { ...kept, statusCode: 304, body: '' } : kept;
}

/** @param isPlain on the plain face, whose errors are a text and a code. */
export function resultOfError(error: ApiError, requestId: string, isPlain = false): APIGatewayProxyResult {
  const { code, message, headers } = error;
  // For who has the body of an answer and not its headers.
  const details = errorCodes[code] === 500 ? { request_id: requestId } : error.details;
  const body = isPlain
    ? { detail: plainDetailOf(error, requestId), error_code: code }
    : { success: false, message, error_code: code, details };
  return result(errorCodes[code], JSON.stringify(body), requestId, headers);
}

/** 204: there is nothing to say but headers. */
export function emptyResult(
  requestId: string,
  headers: Readonly<Record<string, string>>,
): APIGatewayProxyResult {
  const { 'Content-Type': _none, ...ours } = HEADERS;
  return {
    statusCode: 204,
    headers: { ...ours, 'X-Request-Id': requestId, ...headers },
    body: '',
    isBase64Encoded: false,
  };
}

/** The result's own headers stay; what it varies by adds up. */
export function withHeaders(
  result: APIGatewayProxyResult,
  headers: Readonly<Record<string, string>>,
): APIGatewayProxyResult {
  const vary = [headers.Vary, result.headers?.Vary].filter((value) => value !== undefined).join(', ');
  return { ...result, headers: { ...headers, ...result.headers, ...(vary !== '' && { Vary: vary }) } };
}

function textOf(answer: AnyAnswer): string {
  if ('text' in answer) return answer.text;
  return JSON.stringify('plain' in answer ? answer.plain : envelopeOf(answer));
}

/** Null where nobody is to keep it. */
function keepingHeadersOf(answer: AnyAnswer): Readonly<Record<string, string>> | null {
  if ('text' in answer && answer.isPublic) return PUBLIC_HEADERS;
  return answer.isFinal ? FINAL_HEADERS : null;
}

function envelopeOf({ message, data, meta = {}, beside }: Answer) {
  return { success: true, message, data, meta, ...beside };
}

/** There is no other place for what is wrong with each field. */
function plainDetailOf({ code, message, details }: ApiError, requestId: string): string {
  if (errorCodes[code] === 500) return `${message} (request id: ${requestId})`;
  if (code !== 'BAD_REQUEST' || !Array.isArray(details) || details.length === 0) return message;
  const named = details.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`));
  return `Invalid request: ${named.join('; ')}`;
}

/** As RFC 9110 compares them here: weakly, since caches on the way may weaken a tag. */
function isMatch(ifNoneMatch: string | undefined, etag: string): boolean {
  const tags = ifNoneMatch?.split(',').map((tag) => tag.trim().replace(/^W\//, '')) ?? [];
  return tags.includes(etag) || tags.includes('*');
}

function result(
  statusCode: number,
  body: string,
  requestId: string,
  headers?: Readonly<Record<string, string>>,
): APIGatewayProxyResult {
  return {
    statusCode,
    headers: { ...HEADERS, 'X-Request-Id': requestId, ...headers },
    body,
    isBase64Encoded: false,
  };
}
