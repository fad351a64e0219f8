import type { AuditEntry } from '../../../shared/application/audit.ts';
import type { Caller } from '../../../shared/auth/caller.ts';
import { isJsonObject } from '../../../shared/engine/json.ts';
import type { AaaEvent } from '../../../shared/telemetry/aaa-log.ts';
import type { ApiServices } from '../services.ts';
import { type ApiError, errorCodes } from './api-error.ts';
import type { Exchange } from './exchange.ts';
import { type AnyRoute, neededScopeOf } from './route.ts';

/** As the AAA log names what is done: `execute_workflow`. */
export function actionOf({ operationId }: AnyRoute): string {
  return operationId.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

export function changesSomething(route: AnyRoute): boolean {
  return neededScopeOf(route) !== 'read' && route.audited !== 'never';
}

/** The community that the request names, else that of the run it is about, else the caller's, where there is only one. */
export function communityOf(
  caller: Caller | null,
  { body, query, subject }: { readonly body: unknown; readonly query: unknown; readonly subject: unknown },
): number | null {
  for (const input of [body, query]) {
    if (isJsonObject(input) && typeof input.community_id === 'number') return input.community_id;
  }
  if (isJsonObject(subject) && typeof subject.communityId === 'number') return subject.communityId;
  return caller?.communities.length === 1 ? caller.communities[0]! : null;
}

export function auditEntryOf(
  route: AnyRoute,
  { caller, community, requestId, sourceAddress }: Exchange,
): AuditEntry {
  return {
    userId: caller?.userId ?? null,
    apiKeyId: caller?.key?.id ?? null,
    communityId: community,
    action: actionOf(route),
    requestId,
    sourceAddress,
  };
}

/** The line of a call that changed something; its record was stored with the change. */
export function logChange(route: AnyRoute, entry: AuditEntry, { aaa }: Pick<ApiServices, 'aaa'>): void {
  if (!changesSomething(route)) return;
  const { userId: user, communityId: community, action } = entry;
  aaa.write({ type: 'AUDIT', level: 'INFO', community, user, action, result: 'SUCCESS' });
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
