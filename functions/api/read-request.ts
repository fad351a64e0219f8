import type { APIGatewayProxyEvent } from 'aws-lambda';
import type { z } from 'zod';
import { limits } from '../../shared/config/limits.ts';
import { parsePayload } from '../../shared/messages/payload.ts';
import { ApiError, badRequest, type Problem, tooLarge } from './api-error.ts';
import type { BodySpec } from './route.ts';
import type { ApiServices } from './services.ts';

/** Header names come as the client wrote them. An empty value counts as sent. */
export function headerOf(event: APIGatewayProxyEvent, name: string): string | undefined {
  const wanted = name.toLowerCase();
  const entry = Object.entries(event.headers ?? {}).find(([key]) => key.toLowerCase() === wanted);
  return entry?.[1];
}

/** A parameter that comes once is a text; one that comes more than once is a list of them. */
export function queryOf(event: APIGatewayProxyEvent): Record<string, string | string[]> {
  const several = Object.entries(event.multiValueQueryStringParameters ?? {});
  const single = Object.entries(event.queryStringParameters ?? {}).map(
    ([name, value]) => [name, value === undefined ? undefined : [value]] as const,
  );
  const query: Record<string, string | string[]> = Object.create(null);
  for (const [name, values] of several.length > 0 ? several : single) {
    if (values && values.length > 0) query[name] = values.length === 1 ? values[0]! : values;
  }
  return query;
}

/** @throws ApiError 400 naming every parameter that is wrong. */
export function readQuery<Query>(event: APIGatewayProxyEvent, schema: z.ZodType<Query>): Query {
  const parsed = validate(schema, queryOf(event));
  if (!parsed.ok) throw badRequest(parsed.problems);
  return parsed.value;
}

/** @throws ApiError 400 naming every part of the path that is wrong. */
export function readParams<Params>(params: unknown, schema: z.ZodType<Params>): Params {
  const parsed = validate(schema, params);
  if (!parsed.ok) throw badRequest(parsed.problems);
  return parsed.value;
}

const IDEMPOTENCY_KEY = /^[^\p{C}]{1,255}$/u;

/** @throws ApiError 400 where it is there and not 1 to 255 characters. */
export function readIdempotencyKey(event: APIGatewayProxyEvent): string | null {
  const key = headerOf(event, 'idempotency-key');
  if (key === undefined) return null;
  if (IDEMPOTENCY_KEY.test(key)) return key;
  throw badRequest([{ path: 'Idempotency-Key', message: 'expected 1 to 255 characters' }]);
}

/** @throws ApiError 400 naming every field that is wrong, 413 or 415. */
export function readBody<Body, Subject>(
  event: APIGatewayProxyEvent,
  spec: BodySpec<Body, Subject>,
  services: ApiServices,
  subject: Subject,
): Body {
  const text = bodyText(event, spec.maxBytes);
  if (text.trim() === '' && spec.isOptional) return spec.schema.parse({});
  refuseOtherMediaTypes(headerOf(event, 'content-type'));
  const payload = parsePayload(text, { ...limits, maxBytes: spec.maxBytes });
  if (!payload.ok) {
    const { code, path, message } = payload.problem;
    if (code === 'TOO_LARGE') throw tooLarge([{ path, message }]);
    throw badRequest([{ path, message }]);
  }
  const parsed = validate(spec.schema, payload.value);
  const more = spec.findProblems?.(payload.value, services, subject) ?? [];
  if (!parsed.ok || more.length > 0) throw badRequest([...(parsed.ok ? [] : parsed.problems), ...more]);
  const oversized = spec.findOversized?.(parsed.value) ?? [];
  if (oversized.length > 0) throw tooLarge(oversized);
  return parsed.value;
}

function bodyText({ body, isBase64Encoded }: APIGatewayProxyEvent, maxBytes: number): string {
  if (!body) return '';
  if (!isBase64Encoded) return body;
  const bytes = Buffer.from(body, 'base64');
  if (bytes.length > maxBytes) {
    throw tooLarge([
      { path: '', message: `expected at most ${maxBytes} bytes of JSON, got ${bytes.length}` },
    ]);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw badRequest([{ path: '', message: 'expected JSON in UTF-8' }], { cause });
  }
}

/** `application/json` and its kin (`application/problem+json`); a body without a type is taken for JSON. */
function refuseOtherMediaTypes(contentType: string | undefined): void {
  if (contentType === undefined || contentType.trim() === '') return;
  const type = contentType.split(';')[0]!.trim().toLowerCase();
  if (type === 'application/json' || /^application\/[\w.+-]+\+json$/.test(type)) return;
  throw new ApiError(
    'UNSUPPORTED_MEDIA_TYPE',
    `Expected Content-Type: application/json, got ${JSON.stringify(type.slice(0, 100))}`,
  );
}

type Validated<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problems: readonly Problem[] };

function validate<T>(schema: z.ZodType<T>, input: unknown): Validated<T> {
  const parsed = schema.safeParse(input);
  return parsed.success
    ? { ok: true, value: parsed.data }
    : { ok: false, problems: parsed.error.issues.flatMap(problemsOf) };
}

function problemsOf(issue: z.core.$ZodIssue): Problem[] {
  const path = issue.path.join('.');
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      path: path === '' ? key : `${path}.${key}`,
      message: 'unknown field',
    }));
  }
  if (issue.code === 'invalid_union') {
    // Of several forms, the one that was meant is the one whose outermost type fits.
    const meant = issue.errors.filter((issues) => !issues.some(isOfAnotherType));
    if (meant.length === 1) {
      return meant[0]!.flatMap((inner) => problemsOf({ ...inner, path: [...issue.path, ...inner.path] }));
    }
  }
  return [{ path, message: issue.message.replace(/^Invalid (input|option): /, '') }];
}

function isOfAnotherType({ code, path }: z.core.$ZodIssue): boolean {
  return code === 'invalid_type' && path.length === 0;
}
