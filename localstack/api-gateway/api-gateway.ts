import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  type GatewayResponseType,
  gatewayResponseBody,
  gatewayResponseHeaders,
  gatewayResponses,
} from '../../shared/config/gateway-responses.ts';
import { readBody } from '../http-body.ts';
import { type RunningServer, startServer } from '../http-server.ts';
import type { InvocationResult, Invoker } from '../invocation.ts';
import { headerBytes, proxyEvent } from './proxy-event.ts';
import { httpAnswer } from './proxy-response.ts';

export interface ApiGatewayOptions {
  invoker: Invoker;
  port?: number | undefined;
  host?: string | undefined;
  /**
   * As of the deployed API, which takes every media type as binary: bodies reach the function as base64, byte for byte,
   * whatever the client calls them. Without that API Gateway would replace what is not UTF-8.
   */
  binaryMediaTypes?: readonly string[];
  integrationTimeoutMs?: number;
  /** Whose pages may read what API Gateway answers by itself, as the function's variable has it. */
  corsAllowedOrigins?: string;
  log?: (line: string) => void;
}

const largestRequest = 10 * 1024 * 1024;
const mostHeaderBytes = 10_240;
// Which status API Gateway gives is not documented. Beyond 16 KiB node has the same one, without a body.
const headersTooLarge = 431;

/** An HTTP server that answers as a REST API with one `{proxy+}` resource in front of one function would. */
export function startApiGateway(options: ApiGatewayOptions): Promise<RunningServer> {
  const { invoker, binaryMediaTypes = ['*/*'], integrationTimeoutMs = 29_000, log = () => {} } = options;
  const { corsAllowedOrigins = '' } = options;

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBody(request, largestRequest);
    const answerByItself = (type: GatewayResponseType, requestId: string, status?: number) =>
      answerAs(response, type, requestId, corsAllowedOrigins, status);
    if (headerBytes(request) > mostHeaderBytes)
      return answerByItself('DEFAULT_4XX', randomUUID(), headersTooLarge);
    if (body === 'too-large') return answerByItself('REQUEST_TOO_LARGE', randomUUID());
    const event = proxyEvent(request, body, binaryMediaTypes, new Date());
    const { requestId } = event.requestContext;
    const result = await withTimeout(invoker.invoke(event, { requestId }), integrationTimeoutMs);

    if (result === 'timed-out') return answerByItself('INTEGRATION_TIMEOUT', requestId);
    if (!result.ok) {
      const { errorType, errorMessage } = result.error;
      log(`${request.method} ${event.path} (${requestId}): ${errorType}: ${errorMessage}`);
      const isTooLarge = errorType === 'RequestTooLargeException';
      return answerByItself(isTooLarge ? 'REQUEST_TOO_LARGE' : 'DEFAULT_5XX', requestId);
    }
    const answer = httpAnswer(result.payload);
    if (!answer.ok) {
      log(`${request.method} ${event.path} (${requestId}): ${answer.problem}`);
      return answerByItself('DEFAULT_5XX', requestId);
    }
    response.writeHead(answer.status, { ...answer.headers, 'x-amzn-requestid': requestId });
    response.end(answer.body);
  }

  return startServer({
    port: options.port,
    host: options.host,
    wantedBy: 'the API',
    remedies: ['stop what listens there, or set PORT to another one'],
    handle,
  });
}

/** @param status of an occasion that has none of its own: that of a function whose answer is of no use, unless said otherwise */
function answerAs(
  response: ServerResponse,
  type: GatewayResponseType,
  requestId: string,
  corsAllowedOrigins: string,
  status = 502,
): void {
  const answer = gatewayResponses[type];
  response.writeHead(answer.status ?? status, {
    'content-type': 'application/json',
    'x-amzn-requestid': requestId,
    'x-request-id': requestId,
    ...gatewayResponseHeaders(answer, corsAllowedOrigins),
  });
  response.end(JSON.stringify(gatewayResponseBody(answer, requestId)));
}

/** The invocation itself goes on: API Gateway only stops waiting. */
async function withTimeout(
  invocation: Promise<InvocationResult>,
  timeoutMs: number,
): Promise<InvocationResult | 'timed-out'> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<'timed-out'>((resolve) => {
    timer = setTimeout(() => resolve('timed-out'), timeoutMs);
  });
  try {
    return await Promise.race([invocation, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
