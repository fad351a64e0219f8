/** How long what nobody asks for any more is kept; `AUDIT_RETENTION_DAYS` sets the audit log's, `RUN_RETENTION_DAYS` that of runs. */
export const retention = {
  /** A start that is asked for again under its `Idempotency-Key` is the same run for as long. */
  idempotencyKeyDays: 7,
  auditDays: 400,
  /** The database refuses less. */
  minAuditDays: 30,
  /** For ever. */
  runDays: 0,
} as const;
