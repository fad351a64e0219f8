import type { APIGatewayProxyEvent } from 'aws-lambda';
import { storableText } from '../../../shared/engine/storable-text.ts';
import { ApiError, tooLarge } from './api-error.ts';

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

const BYTE_ORDER_MARK = /^\uFEFF/;

/**
 * The body, without a byte order mark (RFC 8259 lets a reader ignore it); null where it is not UTF-8.
 * @throws ApiError 413
 */
export function bodyText({ body, isBase64Encoded }: APIGatewayProxyEvent, maxBytes: number): string | null {
  if (!body) return '';
  if (!isBase64Encoded) return body.replace(BYTE_ORDER_MARK, '');
  const bytes = Buffer.from(body, 'base64');
  if (bytes.length > maxBytes) {
    throw tooLarge([
      { path: '', message: `expected at most ${maxBytes} bytes of JSON, got ${bytes.length}` },
    ]);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}

/**
 * `application/json` and its kin (`application/problem+json`), as it is; a body without a type is taken for JSON.
 * @throws ApiError 415
 */
export function refuseOtherMediaTypes(event: APIGatewayProxyEvent): void {
  const coding = headerOf(event, 'content-encoding')?.trim().toLowerCase() ?? '';
  if (coding !== '' && coding !== 'identity') {
    throw unsupported('Content-Encoding: identity', coding, { 'Accept-Encoding': 'identity' });
  }
  const [type = ''] = (headerOf(event, 'content-type') ?? '')
    .toLowerCase()
    .split(';', 1)
    .map((text) => text.trim());
  if (type === '' || type === 'application/json' || /^application\/[\w.+-]+\+json$/.test(type)) return;
  throw unsupported('Content-Type: application/json', type, { Accept: 'application/json' });
}

/** What would be accepted stands in a header of the answer too (RFC 9110, 15.5.16). */
function unsupported(expected: string, got: string, headers: Readonly<Record<string, string>>): ApiError {
  const message = `Expected ${expected}, got ${JSON.stringify(storableText(got, 100))}`;
  return new ApiError('UNSUPPORTED_MEDIA_TYPE', message, { headers });
}
