import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { readBody } from '../http-body.ts';
import { type RunningServer, startServer } from '../http-server.ts';
import type { InvocationResult, Invoker } from '../invocation.ts';
import { proxyEvent } from './proxy-event.ts';
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
  log?: (line: string) => void;
}

const largestRequest = 10 * 1024 * 1024;

/** An HTTP server that answers as a REST API with one `{proxy+}` resource in front of one function would. */
export function startApiGateway(options: ApiGatewayOptions): Promise<RunningServer> {
  const { invoker, binaryMediaTypes = ['*/*'], integrationTimeoutMs = 29_000, log = () => {} } = options;

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBody(request, largestRequest);
    if (body === 'too-large') return answerMessage(response, 413, 'Request Too Long');
    const event = proxyEvent(request, body, binaryMediaTypes, new Date());
    const { requestId } = event.requestContext;
    const result = await withTimeout(invoker.invoke(event, { requestId }), integrationTimeoutMs);

    if (result === 'timed-out') return answerMessage(response, 504, 'Endpoint request timed out');
    if (!result.ok) {
      const { errorType, errorMessage } = result.error;
      log(`${request.method} ${event.path}: ${errorType}: ${errorMessage}`);
      if (errorType === 'RequestTooLargeException') return answerMessage(response, 413, 'Request Too Long');
      return answerMessage(response, 502, 'Internal server error');
    }
    const answer = httpAnswer(result.payload);
    if (!answer.ok) {
      log(`${request.method} ${event.path}: ${answer.problem}`);
      return answerMessage(response, 502, 'Internal server error');
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

function answerMessage(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, { 'content-type': 'application/json', 'x-amzn-requestid': randomUUID() });
  response.end(JSON.stringify({ message }));
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
