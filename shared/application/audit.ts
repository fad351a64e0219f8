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
