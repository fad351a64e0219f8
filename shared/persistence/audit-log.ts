import { v7 as uuidv7 } from 'uuid';
import type { AuditFilter, AuditLog, AuditRecord, StoredAuditRecord } from '../application/audit.ts';
import type { Statements } from './database.ts';
import { exactTime, isBeyond, pageOf } from './page.ts';
import { canViewAudit, Parameters } from './visibility.ts';

interface AuditRow {
  id: string;
  at: Date;
  user_id: string | null;
  api_key_id: string | null;
  community_id: number | null;
  action: string;
  result: string;
  resource: string | null;
  request_id: string;
  source_address: string | null;
}

const COLUMNS =
  'l.id, l.at, l.user_id, l.api_key_id, l.community_id, l.action, l.result, l.resource, l.request_id, l.source_address';

export function createAuditLog(database: Statements): AuditLog {
  return {
    async append(record) {
      const parameters = new Parameters();
      await database.execute(
        `insert into audit_log (${AUDIT_COLUMNS}) values (${auditValues(record, parameters)})`,
        parameters.values,
      );
    },
    async list(viewer, filter, page) {
      const parameters = new Parameters();
      const key = { key: 'l.at', keyType: 'timestamptz', id: 'l.id' };
      const rows = await database.many<AuditRow & { position_key: string }>(
        `select ${COLUMNS}, ${exactTime('l.at')} as position_key
         from audit_log l
         where ${[canViewAudit(viewer, parameters), isBeyond(page.after, key, '<', parameters), ...conditionsOf(filter, parameters)].join(' and ')}
         order by l.at desc, l.id desc
         limit ${parameters.add(page.limit + 1)}`,
        parameters.values,
      );
      return pageOf(rows, page, (row) => ({ key: row.position_key, id: row.id }), recordOf);
    },
  };
}

/** For statements that do something and say so at once. */
export const AUDIT_COLUMNS =
  'id, user_id, api_key_id, community_id, action, result, resource, request_id, source_address';

export function auditValues(record: AuditRecord, parameters: Parameters): string {
  const values = [
    uuidv7(),
    record.userId,
    record.apiKeyId,
    record.communityId,
    record.action,
    record.result,
    record.resource?.slice(0, 255) ?? null,
    record.requestId.slice(0, 255),
    record.sourceAddress,
  ];
  return values.map((value) => parameters.add(value)).join(', ');
}

function conditionsOf(filter: AuditFilter, parameters: Parameters): string[] {
  const { userId, action, communityId, resource, after, before } = filter;
  const conditions: string[] = [];
  if (userId !== undefined) conditions.push(`l.user_id = ${parameters.add(userId)}`);
  if (action !== undefined) conditions.push(`l.action = ${parameters.add(action)}`);
  if (communityId !== undefined) conditions.push(`l.community_id = ${parameters.add(communityId)}`);
  if (resource !== undefined) conditions.push(`l.resource = ${parameters.add(resource)}`);
  if (after !== undefined) conditions.push(`l.at >= ${parameters.add(after)}::timestamptz`);
  if (before !== undefined) conditions.push(`l.at < ${parameters.add(before)}::timestamptz`);
  return conditions;
}

function recordOf(row: AuditRow): StoredAuditRecord {
  return {
    id: row.id,
    at: row.at,
    userId: row.user_id,
    apiKeyId: row.api_key_id,
    communityId: row.community_id,
    action: row.action,
    result: row.result,
    resource: row.resource,
    requestId: row.request_id,
    sourceAddress: row.source_address,
  };
}
