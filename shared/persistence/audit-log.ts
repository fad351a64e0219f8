import { v7 as uuidv7 } from 'uuid';
import type { AuditEntry, AuditRecord } from '../application/audit.ts';
import type { Page, PageRequest } from '../application/page.ts';
import type { Viewer } from '../application/permissions.ts';
import { storableText } from '../engine/storable-text.ts';
import type { Statements } from './database.ts';
import { exactTime, isBeyond, pageOf } from './keyset.ts';
import { Parameters } from './sql.ts';
import { canViewAudit } from './visibility.ts';

export interface StoredAuditRecord extends AuditRecord {
  readonly id: string;
  readonly at: Date;
}

export interface AuditFilter {
  readonly userId?: string | undefined;
  readonly action?: string | undefined;
  readonly communityId?: number | undefined;
  readonly resource?: string | undefined;
  /** ISO 8601; from this moment on. */
  readonly after?: string | undefined;
  /** ISO 8601; up to, and without, this moment. */
  readonly before?: string | undefined;
}

export interface AuditLog {
  /** Newest first; what the viewer did, or everybody to an admin. */
  list(viewer: Viewer, filter: AuditFilter, page: PageRequest): Promise<Page<StoredAuditRecord>>;
}

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
    async list(viewer, filter, page) {
      const parameters = new Parameters();
      const key = { key: 'l.at', keyType: 'timestamptz', id: 'l.id' };
      const conditions = [
        canViewAudit(viewer, parameters),
        isBeyond(page.after, key, '<', parameters),
        ...conditionsOf(filter, parameters),
      ];
      const rows = await database.many<AuditRow & { position_key: string }>(
        `select ${COLUMNS}, ${exactTime('l.at')} as position_key
         from audit_log l
         where ${conditions.join(' and ')}
         order by l.at desc, l.id desc
         limit ${parameters.add(page.limit + 1)}`,
        parameters.values,
      );
      return pageOf(rows, page, (row) => ({ key: row.position_key, id: row.id }), recordOf);
    },
  };
}

/**
 * A part of a `with`: a record for each row that its part `changed` gives, about that row's `resource`. The change and its record
 * are one statement: one transaction, and no round trip more.
 */
export function auditPart(
  audit: AuditEntry,
  changed: string,
  resource: string,
  parameters: Parameters,
): string {
  const { resource: _given, ...values } = auditRow({ ...audit, result: 'SUCCESS', resource: null });
  const placeholders = Object.values(values).map((value) => parameters.add(value));
  const columns = [...Object.keys(values), 'resource'].join(', ');
  return `audit as (
    insert into audit_log (${columns}) select ${placeholders.join(', ')}, ${resource}::text from ${changed})`;
}

/** A row of the table, but for its time. */
export function auditRow(record: AuditRecord) {
  return {
    id: uuidv7(),
    user_id: record.userId,
    api_key_id: record.apiKeyId,
    community_id: record.communityId,
    action: record.action,
    result: record.result,
    resource: record.resource && storableText(record.resource, 255),
    request_id: storableText(record.requestId, 255),
    source_address: record.sourceAddress,
  };
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
