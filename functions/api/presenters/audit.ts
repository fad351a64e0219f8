import * as z from 'zod';
import type { StoredAuditRecord } from '../../../shared/persistence/audit-log.ts';
import { textOrNull, timestamp, uuid } from '../fields/response-fields.ts';

export const auditRecord = z
  .strictObject({
    id: uuid,
    timestamp,
    event_type: z.literal('AUDIT'),
    community_id: z
      .int()
      .nullable()
      .meta({ examples: [123] }),
    user_id: z
      .string()
      .nullable()
      .describe("Null where an attempt's token authenticated the call.")
      .meta({ examples: ['user@example.com'] }),
    api_key_id: uuid.nullable(),
    action: z.string().meta({ examples: ['execute_workflow'] }),
    result: z.string().meta({ examples: ['SUCCESS'] }),
    resource: textOrNull
      .describe('The id of what was changed.')
      .meta({ examples: ['run-550e8400-e29b-41d4-a716-446655440000'] }),
    request_id: z.string().meta({ examples: ['c6af9ac6-7b61-11e6-9a41-93e8deadbeef'] }),
    source_address: textOrNull.meta({ examples: ['192.0.2.1'] }),
  })
  .meta({ id: 'AuditRecord' });

export function presentAuditRecord(record: StoredAuditRecord): z.infer<typeof auditRecord> {
  return {
    id: record.id,
    timestamp: record.at.toISOString(),
    event_type: 'AUDIT',
    community_id: record.communityId,
    user_id: record.userId,
    api_key_id: record.apiKeyId,
    action: record.action,
    result: record.result,
    resource: record.resource,
    request_id: record.requestId,
    source_address: record.sourceAddress,
  };
}
