/*
 * Nothing is locked while it is published, which takes a second where the broker hangs: what is claimed is leased, by a commit of its
 * own. What could not be published is given back at once; what a timekeeper that died had is due again when its lease ends.
 */

/** Until a lost wake fires again, and what was left behind is published by another timekeeper. */
export const LEASE_MS = 60_000;
