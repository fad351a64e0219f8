import type { Page, PageRequest } from './page.ts';
import type { Viewer } from './viewer.ts';

/** One call that changes something. Who makes the change stores it in the same transaction: neither is without the other. */
export interface AuditEntry {
  /** Null where an attempt's token, not a user, authenticated the call. */
  readonly userId: string | null;
  readonly apiKeyId: string | null;
  readonly communityId: number | null;
  readonly action: string;
  readonly requestId: string;
  readonly sourceAddress: string | null;
}

export interface AuditRecord extends AuditEntry {
  readonly result: string;
  /** The id of what was changed. */
  readonly resource: string | null;
}

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
