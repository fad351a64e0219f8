import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { emulatedAccount } from '../invocation.ts';

/** A REST API's (v1) Lambda proxy event, as far as Stepline's handlers read it. */
export interface ProxyEvent {
  resource: string;
  path: string;
  httpMethod: string;
  headers: Record<string, string>;
  multiValueHeaders: Record<string, string[]>;
  queryStringParameters: Record<string, string> | null;
  multiValueQueryStringParameters: Record<string, string[]> | null;
  pathParameters: { proxy: string } | null;
  stageVariables: null;
  requestContext: {
    accountId: string;
    apiId: string;
    domainName: string;
    stage: string;
    requestId: string;
    extendedRequestId: string;
    identity: { sourceIp: string; userAgent: string | null };
    httpMethod: string;
    path: string;
    protocol: string;
    requestTime: string;
    requestTimeEpoch: number;
    resourceId: string;
    resourcePath: string;
  };
  body: string | null;
  isBase64Encoded: boolean;
}

/** What does not reach a function: what belongs to the connection, which API Gateway ends, and some that it takes out without a reason. */
const dropped = new Set([
  'connection',
  'content-length',
  'content-md5',
  'expect',
  'max-forwards',
  'proxy-authenticate',
  'server',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'www-authenticate',
]);

const STAGE = 'local';

/**
 * What API Gateway makes of a request. The path stays percent-encoded as it was sent (a decoded `/` could not be told from a
 * separator); query names and values are decoded; where a name comes twice, the single-value maps have its last value.
 */
export function proxyEvent(
  request: IncomingMessage,
  body: Buffer,
  binaryMediaTypes: readonly string[],
  now: Date,
): ProxyEvent {
  const [path = '/', ...query] = (request.url ?? '/').split('?');
  const method = request.method ?? 'GET';
  const sourceIp = request.socket.remoteAddress ?? '127.0.0.1';
  const headers = multiValues(headerPairs(request, sourceIp));
  const parameters = multiValues([...new URLSearchParams(query.join('?'))]);
  const resource = path === '/' ? '/' : '/{proxy+}';
  const requestId = randomUUID();
  const binary = body.length > 0 && isBinary(request.headers['content-type'], binaryMediaTypes);
  return {
    resource,
    path,
    httpMethod: method,
    headers: lastValues(headers),
    multiValueHeaders: headers,
    queryStringParameters: nullIfEmpty(lastValues(parameters)),
    multiValueQueryStringParameters: nullIfEmpty(parameters),
    // Unlike the path, without the slash at the end.
    pathParameters: path === '/' ? null : { proxy: path.slice(1).replace(/\/$/, '') },
    stageVariables: null,
    requestContext: {
      accountId: emulatedAccount,
      apiId: 'local',
      domainName: request.headers.host ?? '127.0.0.1',
      stage: STAGE,
      requestId,
      extendedRequestId: requestId,
      identity: { sourceIp, userAgent: request.headers['user-agent'] ?? null },
      httpMethod: method,
      path: `/${STAGE}${path}`,
      protocol: `HTTP/${request.httpVersion}`,
      requestTime: requestTime(now),
      requestTimeEpoch: now.getTime(),
      resourceId: 'local',
      resourcePath: resource,
    },
    body: body.length === 0 ? null : body.toString(binary ? 'base64' : 'utf8'),
    isBase64Encoded: binary,
  };
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** As of a web server's log: `30/Nov/2026:09:05:07 +0000`. */
export function requestTime(now: Date): string {
  const [date = '', time = ''] = now.toISOString().split(/[T.]/);
  const [year, month, day] = date.split('-');
  return `${day}/${months[Number(month) - 1]}/${year}:${time} +0000`;
}

/** Names and values of all headers, which may have 10,240 bytes in all. */
export function headerBytes({ rawHeaders }: Pick<IncomingMessage, 'rawHeaders'>): number {
  return rawHeaders.reduce((sum, text) => sum + Buffer.byteLength(text, 'latin1'), 0);
}

/** `binaryMediaTypes` of the API: exact types, `type/*`, or all. Without a content type API Gateway assumes JSON. */
function isBinary(contentType: string | undefined, binaryMediaTypes: readonly string[]): boolean {
  const type = (contentType ?? 'application/json').split(';')[0]?.trim().toLowerCase() ?? '';
  return binaryMediaTypes.some(
    (pattern) =>
      pattern === '*/*' ||
      pattern === type ||
      (pattern.endsWith('/*') && type.startsWith(pattern.slice(0, -1))),
  );
}

/** With the names as the client wrote them. */
function headerPairs(request: IncomingMessage, sourceIp: string): [string, string][] {
  const pairs: [string, string][] = [];
  for (let index = 0; index + 1 < request.rawHeaders.length; index += 2) {
    const name = request.rawHeaders[index] ?? '';
    const value = request.rawHeaders[index + 1] ?? '';
    if (!dropped.has(name.toLowerCase())) pairs.push([name, value]);
  }
  const forwarded = request.headers['x-forwarded-for'];
  pairs.push(['X-Forwarded-For', forwarded ? `${forwarded}, ${sourceIp}` : sourceIp]);
  pairs.push(['X-Forwarded-Port', String(request.socket.localPort ?? 80)]);
  pairs.push(['X-Forwarded-Proto', 'http']);
  return pairs;
}

function multiValues(pairs: readonly (readonly [string, string])[]): Record<string, string[]> {
  const values = new Map<string, string[]>();
  for (const [name, value] of pairs) {
    const existing = values.get(name);
    if (existing) existing.push(value);
    else values.set(name, [value]);
  }
  return Object.fromEntries(values);
}

function lastValues(values: Record<string, string[]>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([name, list]) => [name, list.at(-1) ?? '']));
}

function nullIfEmpty<T extends object>(values: T): T | null {
  return Object.keys(values).length === 0 ? null : values;
}
