import middy from '@middy/core';
import type { APIGatewayProxyEvent, APIGatewayProxyResult, Context } from 'aws-lambda';
import { v4 as uuidv4 } from 'uuid';
import { accountFor, auditEntryOf, communityOf, logRefusal, resourceOf } from './accounting.ts';
import { admit } from './admission.ts';
import { type AnyAnswer, emptyResult, resultOf, resultOfError, withHeaders } from './answer.ts';
import { ApiError, errorCodes, notFound } from './api-error.ts';
import { corsHeaders, preflightHeaders } from './cors.ts';
import { apiErrorOf } from './error-of.ts';
import type { Exchange } from './exchange.ts';
import { headerOf, readBody, readIdempotencyKey, readParams, readQuery } from './read-request.ts';
import { type AnyRoute, isPlainPath } from './route.ts';
import { createRouter } from './router.ts';
import { allRoutes } from './routes/all-routes.ts';
import type { ApiServices } from './services.ts';

export type ApiHandler = (event: APIGatewayProxyEvent, context: Context) => Promise<APIGatewayProxyResult>;

/** Answers before Lambda ends the invocation, which would be a 502 without a word. */
const TIME_FOR_THE_ANSWER_MS = 100;

class OutOfTimeError extends Error {
  readonly code = 'OUT_OF_TIME';
}

/** The handler of a REST API's proxy events. It never throws: each request has an answer, in the envelope. */
export function createApi(services: ApiServices, routes: readonly AnyRoute[] = allRoutes): ApiHandler {
  const match = createRouter(routes);

  async function serve(event: APIGatewayProxyEvent, exchange: Exchange): Promise<APIGatewayProxyResult> {
    const matched = match(event.httpMethod, event.path);
    if (matched.kind === 'not_found') throw notFound('Path');
    if (matched.kind === 'method_not_allowed') {
      if (event.httpMethod === 'OPTIONS') {
        return emptyResult(requestIdOf(event), preflightHeaders(exchange.headers, matched.allow));
      }
      const headers = { Allow: matched.allow };
      throw new ApiError('METHOD_NOT_ALLOWED', `Expected one of ${matched.allow} here`, { headers });
    }
    const { route, params } = matched;
    exchange.route = route;
    const afterwards = await admit(route, event, services, exchange);
    const answer = await answerOf(route, { event, exchange, params }, services);
    // Not waited for: the time of a key's last use is worth no client's time.
    afterwards?.().catch((error: unknown) =>
      services.log.error('The use of an API key was not recorded', { error }),
    );
    return resultOf(answer, requestIdOf(event), headerOf(event, 'if-none-match'));
  }

  function refuse(event: APIGatewayProxyEvent, thrown: unknown, exchange: Exchange): APIGatewayProxyResult {
    const error = apiErrorOf(thrown);
    const requestId = requestIdOf(event);
    if (errorCodes[error.code] >= 500) {
      const fields = { request_id: requestId, method: event.httpMethod, error: error.cause ?? error };
      services.log.error(error.message, fields);
    }
    logRefusal(exchange, error, services);
    return resultOfError(error, requestId, isPlain(event));
  }

  async function respond(event: APIGatewayProxyEvent): Promise<APIGatewayProxyResult> {
    const exchange = newExchange(corsHeaders(event, services.corsAllowedOrigins));
    const result = await serve(event, exchange).catch((error: unknown) => refuse(event, error, exchange));
    return withoutBodyOfHead(event, withHeaders(result, exchange.headers));
  }

  return middy<APIGatewayProxyEvent, APIGatewayProxyResult>({
    timeoutEarlyInMillis: TIME_FOR_THE_ANSWER_MS,
    timeoutEarlyResponse: () => {
      throw new OutOfTimeError('The invocation is about to time out');
    },
  })
    .onError((request) => {
      const exchange = newExchange(corsHeaders(request.event, services.corsAllowedOrigins));
      const result = refuse(request.event, request.error, exchange);
      request.response = withoutBodyOfHead(request.event, withHeaders(result, exchange.headers));
    })
    .handler(respond);
}

function newExchange(headers: Exchange['headers']): Exchange {
  return { route: null, caller: null, community: null, headers };
}

interface Asked {
  readonly event: APIGatewayProxyEvent;
  readonly exchange: Exchange;
  readonly params: Readonly<Record<string, string>>;
}

async function answerOf(route: AnyRoute, asked: Asked, services: ApiServices): Promise<AnyAnswer> {
  const { event, exchange } = asked;
  const { caller } = exchange;
  const subjectNotFound = () =>
    notFound(
      route.subjectName ?? 'Path',
      route.subjectName === 'Workflow' ? 'WORKFLOW_NOT_FOUND' : 'NOT_FOUND',
    );
  const parsedParams = route.params?.safeParse(asked.params);
  if (route.params && !parsedParams?.success) {
    if (isPlain(event)) readParams(asked.params, route.params);
    throw subjectNotFound();
  }
  const params = parsedParams?.data ?? {};
  const subject = await route.find?.({ caller, params }, services);
  if (subject === null) throw subjectNotFound();
  const query = route.query ? readQuery(event, route.query) : {};
  const idempotencyKey = route.takesIdempotencyKey ? readIdempotencyKey(event) : null;
  const body = route.body ? readBody(event, route.body, services, subject) : undefined;
  exchange.community = communityOf(caller, body, query);
  const audit = auditEntryOf(route, event, requestIdOf(event), exchange);
  const answer = await route.handle(
    { caller, params, query, body, subject, idempotencyKey, audit },
    services,
  );
  await accountFor(route, audit, resourceOf(answer, params), services);
  return answer;
}

function isPlain({ path }: APIGatewayProxyEvent): boolean {
  return isPlainPath(path ?? '');
}

function requestIdOf(event: APIGatewayProxyEvent): string {
  return event.requestContext?.requestId ?? uuidv4();
}

function withoutBodyOfHead(
  event: APIGatewayProxyEvent,
  result: APIGatewayProxyResult,
): APIGatewayProxyResult {
  return event.httpMethod === 'HEAD' ? { ...result, body: '' } : result;
}
