import type { ReadUntil } from '../../shared/kafka/read-progress.ts';

/** The timekeeper looks twice a second; a backlog lasts longer. */
const KEEP_MS = 10_000;

export interface KnownProgressDeps {
  readonly read: () => Promise<ReadUntil>;
  readonly warn: (message: string, error: Error) => void;
  /** Milliseconds since whenever. */
  readonly clock: () => number;
}

/**
 * What is known of how far topics are read, asked for again when it is old. Null where it could not be read: then all that is due
 * fires, by leases that grow.
 */
export function createKnownProgress({
  read,
  warn,
  clock,
}: KnownProgressDeps): () => Promise<ReadUntil | null> {
  let known: Promise<ReadUntil | null> | null = null;
  let until = Number.NEGATIVE_INFINITY;
  return () => {
    if (known === null || clock() >= until) {
      until = clock() + KEEP_MS;
      known = read().catch((error: Error) => {
        warn('How far the topics are read is not known', error);
        return null;
      });
    }
    return known;
  };
}
