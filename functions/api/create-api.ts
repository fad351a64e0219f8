import middy from '@middy/core';
import type { APIGatewayProxyEvent, APIGatewayProxyResult, Context } from 'aws-lambda';
import { GroundsChangedError, type RowVersion } from '../../shared/application/grounds.ts';
import { IdempotencyKeyReusedError } from '../../shared/application/start-run.ts';
import { auditEntryOf, communityOf, logAuthentication, logChange, logRefusal } from './http/accounting.ts';
import { admit, countFailure } from './http/admission.ts';
import { type AnyAnswer, emptyResult, resultOf, resultOfError, withHeaders } from './http/answer.ts';
import { ApiError, badRequest, errorCodes, notFound } from './http/api-error.ts';
import { apiErrorOf } from './http/api-error-of.ts';
import { preflightHeaders } from './http/cors.ts';
import { type Exchange, newExchange } from './http/exchange.ts';
import { headerOf } from './http/gateway-event.ts';
import { type Read, readParams, readRequest } from './http/read-request.ts';
import { type AnyRoute, isPlainPath } from './http/route.ts';
import { createRouter } from './http/router.ts';
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
  const exchanges = new WeakMap<APIGatewayProxyEvent, Exchange>();

  async function serve(event: APIGatewayProxyEvent, exchange: Exchange): Promise<APIGatewayProxyResult> {
    const matched = match(event.httpMethod, event.path);
    if (matched.kind === 'not_found') throw notFound('Path');
    if (matched.kind === 'method_not_allowed') {
      if (event.httpMethod === 'OPTIONS') {
        return emptyResult(exchange.requestId, preflightHeaders(exchange.headers, matched.allow));
      }
      const headers = { Allow: matched.allow };
      throw new ApiError('METHOD_NOT_ALLOWED', `Expected one of ${matched.allow} here`, { headers });
    }
    const { route, params } = matched;
    exchange.route = route;
    const asked = { event, exchange, params };
    const answer = (await recalledAnswer(route, asked)) ?? (await readAnswer(route, asked));
    return resultOf(answer, exchange.requestId, headerOf(event, 'if-none-match'));
  }

  async function readAnswer(route: AnyRoute, asked: Asked): Promise<AnyAnswer> {
    await admit(route, asked.event, services, asked.exchange);
    return answerOf(route, asked, services, null);
  }

  /** By what is remembered of the caller and of what they may do, which what is written is compared with. Null: that does not do. */
  async function recalledAnswer(route: AnyRoute, asked: Asked): Promise<AnyAnswer | null> {
    if (route.recall === undefined) return null;
    try {
      const apiKey = await admit(route, asked.event, services, asked.exchange, true);
      return await answerOf(route, asked, services, { apiKey });
    } catch (error) {
      if (error instanceof IdempotencyKeyReusedError) logAuthentication(asked.exchange, services);
      const mayBeOutdated = error instanceof ApiError || error instanceof GroundsChangedError;
      // Who was not let in is not remembered.
      if (!mayBeOutdated || asked.exchange.caller === null) throw error;
      // Nobody is refused by it.
      Object.assign(asked.exchange, { caller: null, community: null, afterwards: null });
      return null;
    }
  }

  function refuse(event: APIGatewayProxyEvent, thrown: unknown, exchange: Exchange): APIGatewayProxyResult {
    const error = apiErrorOf(thrown);
    if (errorCodes[error.code] >= 500) {
      services.log.error(error.message, {
        request_id: exchange.requestId,
        gateway_request_id: event.requestContext?.requestId,
        method: event.httpMethod,
        error: error.cause ?? error,
      });
    }
    logRefusal(exchange, error, services);
    return resultOfError(error, exchange.requestId, isPlain(event, exchange));
  }

  async function respond(event: APIGatewayProxyEvent): Promise<APIGatewayProxyResult> {
    const exchange = newExchange(event, services);
    exchanges.set(event, exchange);
    const result = await serve(event, exchange).catch((error: unknown) => refuse(event, error, exchange));
    // Not waited for: the time of a key's last use is worth no client's time.
    exchange
      .afterwards?.()
      .catch((error: unknown) => services.log.error('The use of an API key was not recorded', { error }));
    return withoutBodyOfHead(event, withHeaders(result, exchange.headers));
  }

  return middy<APIGatewayProxyEvent, APIGatewayProxyResult>({
    timeoutEarlyInMillis: TIME_FOR_THE_ANSWER_MS,
    timeoutEarlyResponse: () => {
      throw new OutOfTimeError('The invocation is about to time out');
    },
  })
    .onError((request) => {
      const { event, error } = request;
      const exchange = exchanges.get(event) ?? newExchange(event, services);
      const result = refuse(event, error, exchange);
      request.response = withoutBodyOfHead(event, withHeaders(result, exchange.headers));
    })
    .handler(respond);
}

interface Asked {
  readonly event: APIGatewayProxyEvent;
  readonly exchange: Exchange;
  readonly params: Readonly<Record<string, string>>;
}

/** @param remembered what is remembered of the caller, where that is to do; null: all is read */
async function answerOf(
  route: AnyRoute,
  asked: Asked,
  services: ApiServices,
  remembered: { readonly apiKey: RowVersion | null } | null,
): Promise<AnyAnswer> {
  const { event, exchange } = asked;
  const { caller } = exchange;
  const subjectNotFound = () =>
    notFound(
      route.subjectName ?? 'Path',
      route.subjectName === 'Workflow' ? 'WORKFLOW_NOT_FOUND' : 'NOT_FOUND',
    );
  const params: Read<unknown> = route.params
    ? readParams(asked.params, route.params)
    : { ok: true, value: {} };
  if (!params.ok) {
    if (!isPlain(event, exchange)) throw subjectNotFound();
    const request = readRequest(event, route, services, null, caller);
    throw badRequest([...params.problems, ...(request.ok ? [] : request.problems)]);
  }
  const recalled = remembered && route.recall?.({ caller, params: params.value }, services);
  if (remembered && !recalled) throw new GroundsChangedError('Nothing is remembered of it');
  const subject = recalled
    ? recalled.subject
    : await route.find?.({ caller, params: params.value }, services);
  if (subject === null) {
    // The path carries what authenticates it.
    if (route.authentication === 'none') await countFailure(services, exchange);
    throw subjectNotFound();
  }
  const request = readRequest(event, route, services, subject, caller);
  if (!request.ok) throw badRequest(request.problems);
  const { query, idempotencyKey, body } = request.value;
  exchange.community = communityOf(caller, { body, query, subject });
  const audit = auditEntryOf(route, exchange);
  const answer = await route.handle(
    {
      caller,
      params: params.value,
      query,
      body,
      subject,
      idempotencyKey,
      audit,
      grounds: recalled ? { ...recalled.grounds, ...remembered } : undefined,
    },
    services,
  );
  if (recalled) logAuthentication(exchange, services);
  if (!('changesNothing' in answer && answer.changesNothing)) logChange(route, audit, services);
  return answer;
}

/** By the route, whose path may have been spelt otherwise; by the path where there is none. */
function isPlain({ path }: APIGatewayProxyEvent, { route }: Exchange): boolean {
  return isPlainPath(route?.path ?? path ?? '');
}

function withoutBodyOfHead(
  event: APIGatewayProxyEvent,
  result: APIGatewayProxyResult,
): APIGatewayProxyResult {
  return event.httpMethod === 'HEAD' ? { ...result, body: '' } : result;
}
