import type { AuditEntry } from '../../shared/application/audit.ts';

/** A call for those whom no API calls. */
export const auditEntry: AuditEntry = {
  userId: 'tester',
  apiKeyId: null,
  communityId: null,
  action: 'test',
  requestId: 'request-1',
  sourceAddress: null,
};
