/*
 * Nothing is locked while it is published, which takes a second where the broker hangs: what is claimed is leased, by a commit of its
 * own. What a timekeeper that died had is due again when its lease ends.
 */

/** Until what was left behind is published by another timekeeper. */
export const LEASE_MS = 60_000;

/**
 * Until a wake of which nothing came fires again. A wake is never the only thing that a row waits for: what it was asked by may only be
 * slow, and asking again and again makes it slower. So the lease grows, and what is lost again and again is asked for hourly.
 */
export const WAKE_LEASE = { firstMs: 60_000, longestMs: 3_600_000 } as const;
