/** A row as it was read: whatever is written to it gives it another version. */
export interface RowVersion {
  readonly id: string;
  readonly version: string;
}

/**
 * What a caller was let in by when it was last read. Who writes by it compares it with what is stored, in the same transaction
 * (compare-and-set), so that what is remembered lets nobody in who no longer may; and nobody is refused by it.
 */
export interface Grounds {
  /** Null: the caller has none, or it was read for this request. */
  readonly apiKey: RowVersion | null;
  readonly workflow: RowVersion;
  /** Null: an admin, or the workflow's owner, needs none. */
  readonly grant: RowVersion | null;
}

/** Read anew, it may be as good. */
export class GroundsChangedError extends Error {
  readonly code = 'GROUNDS_CHANGED';
}
