import type { APIGatewayProxyEvent } from 'aws-lambda';
import type { AuditEntry } from '../../shared/application/audit.ts';
import type { Caller } from '../../shared/auth/caller.ts';
import { isJsonObject } from '../../shared/engine/json.ts';
import type { AaaEvent } from '../../shared/telemetry/aaa-log.ts';
import type { AnyAnswer } from './answer.ts';
import { type ApiError, errorCodes } from './api-error.ts';
import type { Exchange } from './exchange.ts';
import { type AnyRoute, scopeOf } from './route.ts';
import type { ApiServices } from './services.ts';

/** As the AAA log names what is done: `execute_workflow`. */
export function actionOf({ operationId }: AnyRoute): string {
  return operationId.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function changesSomething(route: AnyRoute): boolean {
  return scopeOf(route) !== 'read' && route.audited !== 'never';
}

/** The community that the request names, else the caller's, where there is only one. */
export function communityOf(caller: Caller | null, body: unknown, query: unknown): number | null {
  for (const input of [body, query]) {
    if (isJsonObject(input) && typeof input.community_id === 'number') return input.community_id;
  }
  return caller?.communities.length === 1 ? caller.communities[0]! : null;
}

export function auditEntryOf(
  route: AnyRoute,
  event: APIGatewayProxyEvent,
  requestId: string,
  { caller, community }: Exchange,
): AuditEntry {
  return {
    userId: caller?.userId ?? null,
    apiKeyId: caller?.key?.id ?? null,
    communityId: community,
    action: actionOf(route),
    requestId,
    sourceAddress: event.requestContext?.identity?.sourceIp ?? null,
  };
}

/**
 * One AUDIT record for each call that changed something: a line, and a row, which a handler that writes it with what it does
 * has written already. The change is committed: where the row cannot be, the line remains.
 */
export async function accountFor(
  route: AnyRoute,
  entry: AuditEntry,
  resource: string | null,
  { audit, aaa, log }: Pick<ApiServices, 'audit' | 'aaa' | 'log'>,
): Promise<void> {
  if (!changesSomething(route)) return;
  const { userId: user, communityId: community, action } = entry;
  aaa.write({ type: 'AUDIT', level: 'INFO', community, user, action, result: 'SUCCESS' });
  if (route.audited === 'itself') return;
  await audit
    .append({ ...entry, result: 'SUCCESS', resource })
    .catch((error: unknown) => log.error('An audit record was not stored', { ...entry, resource, error }));
}

/** A test leaves its result in the log and nowhere else; a failed one is an error besides (workflow-execution-api-keys, Test). */
export function accountForTest(
  { communityId: community, userId: user, action }: AuditEntry,
  hasPassed: boolean,
  { aaa }: Pick<ApiServices, 'aaa'>,
): void {
  const result = hasPassed ? 'SUCCESS' : 'FAILURE';
  aaa.write({ type: 'AUDIT', level: 'INFO', community, user, action, result });
  if (!hasPassed) aaa.write({ type: 'ERROR', level: 'WARN', community, user, action, result });
}

/** The id of what a request changed: what it made, else what its path names. */
export function resourceOf(answer: AnyAnswer, params: unknown): string | null {
  const beside = 'beside' in answer ? answer.beside : undefined;
  const named = isJsonObject(params)
    ? (params.permission_id ?? params.run_id ?? params.id ?? params.agent ?? params.step_execution_id)
    : undefined;
  const id = beside?.run_id ?? beside?.id ?? named;
  return typeof id === 'string' ? id : null;
}

export function logAuthentication({ caller, community }: Exchange, { aaa }: Pick<ApiServices, 'aaa'>): void {
  const user = caller?.userId ?? null;
  aaa.write({ type: 'AUTH', level: 'INFO', community, user, action: 'authenticate', result: 'SUCCESS' });
}

/** What of a refusal the log is to tell: who was not let in, what was not permitted, what failed. */
export function logRefusal(
  { route, caller, community }: Exchange,
  { code }: ApiError,
  { aaa }: Pick<ApiServices, 'aaa'>,
): void {
  const action = route ? actionOf(route) : 'unknown';
  const about = { community, user: caller?.userId ?? null, action };
  const write = (event: Pick<AaaEvent, 'type' | 'level' | 'result'>) => aaa.write({ ...about, ...event });
  const status = errorCodes[code];
  if (status >= 500) write({ type: 'ERROR', level: 'ERROR', result: code });
  else if (code === 'UNAUTHORIZED' || (code === 'RATE_LIMITED' && caller === null)) {
    aaa.write({ ...about, type: 'AUTH', level: 'WARN', action: 'authenticate', result: code });
  } else if (code === 'PERMISSION_DENIED') write({ type: 'AUTHZ', level: 'WARN', result: 'DENIED' });
  else if (code === 'RATE_LIMITED') write({ type: 'AUTHZ', level: 'WARN', result: code });
  else if (route !== null && changesSomething(route)) write({ type: 'ERROR', level: 'WARN', result: code });
}
