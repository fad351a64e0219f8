import type { APIGatewayProxyEvent, APIGatewayProxyResult, Context } from 'aws-lambda';

export interface ApiRequest {
  readonly method?: string;
  /** With its query, as in a URL. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Text is sent as it is, anything else as JSON. */
  readonly body?: unknown;
  readonly asBase64?: boolean;
  readonly sourceAddress?: string;
}

/** The REST API's proxy event for a request. */
export function apiEvent({
  method = 'GET',
  path,
  headers = {},
  body,
  asBase64 = false,
  sourceAddress = '192.0.2.1',
}: ApiRequest): APIGatewayProxyEvent {
  const url = new URL(path, 'http://api.test');
  const names = [...new Set(url.searchParams.keys())];
  const text = body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body);
  const allHeaders = text === null ? headers : { 'Content-Type': 'application/json', ...headers };
  return {
    resource: '/{proxy+}',
    path: url.pathname,
    httpMethod: method,
    headers: allHeaders,
    multiValueHeaders: Object.fromEntries(Object.entries(allHeaders).map(([name, value]) => [name, [value]])),
    queryStringParameters:
      names.length === 0
        ? null
        : Object.fromEntries(names.map((name) => [name, url.searchParams.getAll(name).at(-1)])),
    multiValueQueryStringParameters:
      names.length === 0
        ? null
        : Object.fromEntries(names.map((name) => [name, url.searchParams.getAll(name)])),
    pathParameters: { proxy: url.pathname.slice(1) },
    stageVariables: null,
    requestContext: {
      requestId: 'request-1',
      identity: { sourceIp: sourceAddress },
    } as APIGatewayProxyEvent['requestContext'],
    body: text !== null && asBase64 ? Buffer.from(text).toString('base64') : text,
    isBase64Encoded: asBase64,
  };
}

export const apiContext = { functionName: 'api', getRemainingTimeInMillis: () => 29_000 } as Context;

export interface ApiResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Whatever a test looks for in it. */
  // biome-ignore lint/suspicious/noExplicitAny: answers of every route
  readonly body: any;
}

export function responseOf({ statusCode, headers, body }: APIGatewayProxyResult): ApiResponse {
  return {
    status: statusCode,
    headers: headers as Record<string, string>,
    body: body === '' ? null : isJson(headers) ? JSON.parse(body) : body,
  };
}

function isJson(headers: APIGatewayProxyResult['headers']): boolean {
  return /^application\/([\w.-]+\+)?json\b/.test(String(headers?.['Content-Type']));
}
