import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { forwardRequest } from './forward-request.ts';
import { readBody } from './http-body.ts';
import { type RunningServer, startServer } from './http-server.ts';
import { functionArn, type InvocationResult, type Invoker, largestEvent } from './invocation.ts';

export interface LambdaApiOptions {
  functions: ReadonlyMap<string, Invoker>;
  port?: number;
  /** How often a failed asynchronous invocation is tried again. Lambda's default is 2; ours are deployed with 0. */
  asynchronousRetries?: number;
  /** Where a function is invoked that is not here: an emulator of AWS, most often. Without it there is no such function. */
  elsewhere?: string | undefined;
  log?: (line: string) => void;
}

export interface RunningLambdaApi extends RunningServer {
  /** An asynchronous invocation, as EventBridge makes it. */
  invokeLater(functionName: string, event: unknown): void;
}

const asynchronousLimit = 1_048_576;
const invocationPath = /^\/2015-03-31\/functions\/([^/]+)\/invocations$/;

/** Lambda's Invoke API, enough for `@aws-sdk/client-lambda` with `endpoint` set to its URL. Signatures are not checked. */
export async function startLambdaApi(options: LambdaApiOptions): Promise<RunningLambdaApi> {
  const { functions, asynchronousRetries = 0, elsewhere, log = () => {} } = options;

  async function runLater(invoker: Invoker, event: unknown): Promise<void> {
    for (let attempt = 0; attempt <= asynchronousRetries; attempt += 1) {
      const result = await invoker.invoke(event);
      if (result.ok) return;
      const { errorType, errorMessage } = result.error;
      log(`asynchronous invocation of ${invoker.functionName} failed: ${errorType}: ${errorMessage}`);
    }
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? '/', 'http://lambda');
    const named = request.method === 'POST' ? invocationPath.exec(pathname)?.[1] : undefined;
    if (named === undefined)
      return refuse(response, 404, 'UnknownOperationException', `no operation ${request.method} ${pathname}`);
    const name = functionNameOf(decodeURIComponent(named));
    const invoker = functions.get(name);
    const type = request.headers['x-amz-invocation-type'] ?? 'RequestResponse';
    const limit = type === 'Event' ? asynchronousLimit : largestEvent;
    const body = await readBody(request, limit);

    if (invoker === undefined && elsewhere !== undefined && body !== 'too-large')
      return forwardRequest(request, body, response, elsewhere);
    if (invoker === undefined) {
      return refuse(response, 404, 'ResourceNotFoundException', `Function not found: ${functionArn(name)}`, {
        Type: 'User',
      });
    }
    if (body === 'too-large') {
      const problem = `Request must be smaller than ${limit} bytes for the InvokeFunction operation`;
      return refuse(response, 413, 'RequestTooLargeException', problem, { Type: 'User' });
    }
    const event = parse(body);
    if (!event.ok)
      return refuse(response, 400, 'InvalidRequestContentException', event.problem, { Type: 'User' });
    if (type === 'DryRun') return answer(response, 204);
    if (type === 'Event') {
      answer(response, 202);
      return runLater(invoker, event.value);
    }
    if (type !== 'RequestResponse') {
      return refuse(response, 400, 'InvalidParameterValueException', `Unknown invocation type: ${type}`, {
        Type: 'User',
      });
    }
    if (invoker.isThrottled?.()) return throttle(response);
    return answerResult(response, await invoker.invoke(event.value));
  }

  const server = await startServer({
    port: options.port,
    wantedBy: 'the Lambda API',
    remedies: ['stop what listens there'],
    handle,
  });
  return {
    ...server,
    invokeLater(functionName, event) {
      const invoker = functions.get(functionName);
      if (invoker) void runLater(invoker, event);
      else log(`asynchronous invocation of ${functionName}: there is no such function`);
    },
  };
}

/** A function is named by its name, its ARN, or either with a qualifier; there is one version of each here. */
function functionNameOf(reference: string): string {
  const parts = reference.split(':');
  return (parts[0] === 'arn' ? parts[6] : parts[0]) ?? reference;
}

function parse(body: Buffer): { ok: true; value: unknown } | { ok: false; problem: string } {
  if (body.length === 0) return { ok: true, value: {} };
  try {
    return { ok: true, value: JSON.parse(body.toString('utf8')) };
  } catch (error) {
    return {
      ok: false,
      problem: `Could not parse request body into json: ${error instanceof Error ? error.message : error}`,
    };
  }
}

function answerResult(response: ServerResponse, result: InvocationResult): void {
  const headers = { 'X-Amz-Executed-Version': '$LATEST', 'Content-Type': 'application/json' };
  const failure = result.ok ? {} : { 'X-Amz-Function-Error': 'Unhandled' };
  answer(
    response,
    200,
    { ...headers, ...failure },
    JSON.stringify(result.ok ? result.payload : result.error) ?? 'null',
  );
}

function throttle(response: ServerResponse): void {
  refuse(response, 429, 'TooManyRequestsException', 'Rate Exceeded.', {
    Type: 'User',
    Reason: 'ReservedFunctionConcurrentInvocationLimitExceeded',
  });
}

function refuse(
  response: ServerResponse,
  status: number,
  errorType: string,
  message: string,
  more: object = {},
): void {
  const headers = { 'x-amzn-errortype': errorType, 'Content-Type': 'application/json' };
  answer(response, status, headers, JSON.stringify({ ...more, Message: message, message }));
}

function answer(
  response: ServerResponse,
  status: number,
  headers: Record<string, string> = {},
  body = '',
): void {
  response.writeHead(status, { ...headers, 'x-amzn-RequestId': randomUUID() });
  response.end(body);
}
