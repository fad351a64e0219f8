import type { ClaimOptions } from '../../shared/persistence/due-times.ts';

/** A row's time as the timekeeper finds it, in epoch milliseconds. */
export interface LeasedRow {
  readonly wakeAt: number | null;
  readonly leasedUntil: number | null;
  readonly leaseMs: number | null;
}

/**
 * What a claim makes of it, as shared/persistence/due-times.ts does.
 * @param pickUpMs where its time is when a request should have been seen; null: it is a timer, or a run's
 */
export function leasedOf(
  { wakeAt, leasedUntil, leaseMs }: LeasedRow,
  { firstMs, longestMs }: ClaimOptions['lease'],
  pickUpMs: number | null,
): { readonly askedAt: number | null; readonly leaseMs: number; readonly wasMs: number | null } {
  const at = wakeAt as number;
  const wasMs = at === leasedUntil ? leaseMs : null;
  const agoMs = wasMs ?? pickUpMs;
  return {
    askedAt: agoMs === null ? null : at - agoMs,
    leaseMs: wasMs === null ? firstMs : Math.min(longestMs, Math.max(firstMs, wasMs * 2)),
    wasMs,
  };
}
