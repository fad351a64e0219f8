/*
 * What is to become of work that failed, in every function that takes batches (step-executor, bridges, timekeeper):
 *
 *   transient  passes by itself: the whole batch comes again, and nothing is lost
 *   value      what one record carries cannot be kept: its attempt fails with a code, or its run
 *   defect     a mistake of ours, or a row that is not as it should be: its run fails with a code, and somebody is told
 *
 * Only what is transient may make a batch come again. Anything else is bisected to its one record, and its neighbours go on.
 *
 * A statement that took too long may be either. It is the database's fault until one record, alone, took too long twice in a row; then
 * it is that record's, if what `alone` does for it instead is quick. Where that takes too long as well, the database is slow: transient.
 */

export type ErrorClass = 'transient' | 'value' | 'defect';

/** An error that does not pass by itself. */
export interface Fault {
  readonly class: Exclude<ErrorClass, 'transient'>;
  /** For the log and the dead letter. */
  readonly reason: string;
}

/** By an error's `code`, whoever throws it. */
const CLASSES: ReadonlyMap<unknown, ErrorClass> = new Map<string, ErrorClass>([
  ['DATABASE_UNAVAILABLE', 'transient'],
  ['DATABASE_UNFIT', 'transient'],
  ['TRANSACTION_CONFLICT', 'transient'],
  ['RUNS_MOVED_ON', 'transient'],
  ['STATEMENT_TIMEOUT', 'transient'],
  ['PUBLISH_FAILED', 'transient'],
  ['OUT_OF_TIME', 'transient'],
  ['VALUE_REFUSED', 'value'],
]);

/** Those that may be over at the next try: the database was slow, or somebody wrote without the lock. */
const MAY_BE_OVER = new Set<unknown>(['STATEMENT_TIMEOUT', 'STALE_DECISION']);
/** A record alone is tried so often for these; an invocation has time for that and a little more. */
const TRIES_ALONE = 2;

/** What nobody knows is a defect. */
export function classOf(error: unknown): ErrorClass {
  return CLASSES.get(codeOf(error)) ?? 'defect';
}

/**
 * Works on all items at once and, where that fails for a reason that does not pass, on each half, down to the one at fault, which is
 * left to `alone`.
 * @returns what both returned, in the items' order
 * @throws what is transient
 */
export async function apart<Item, Result>(
  items: readonly Item[],
  work: (items: readonly Item[]) => Promise<readonly Result[]>,
  alone: (item: Item, fault: Fault, error: unknown) => Promise<readonly Result[]> | readonly Result[],
): Promise<Result[]> {
  for (let tries = 1; ; tries++) {
    try {
      return [...(await work(items))];
    } catch (error) {
      const mayBeOver = MAY_BE_OVER.has(codeOf(error));
      if (!mayBeOver && classOf(error) === 'transient') throw error;
      if (items.length > 1) {
        const middle = items.length >> 1;
        const first = await apart(items.slice(0, middle), work, alone);
        return [...first, ...(await apart(items.slice(middle), work, alone))];
      }
      if (mayBeOver && tries < TRIES_ALONE) continue;
      const [item] = items;
      return item === undefined ? [] : [...(await alone(item, faultOf(error), error))];
    }
  }
}

/** What there is to tell of an error that is not transient, or was so too often. */
export function faultOf(error: unknown): Fault {
  const reason = error instanceof Error ? error.message : String(error);
  return { class: classOf(error) === 'value' ? 'value' : 'defect', reason };
}

/** What an error is known by, whoever throws it: its `code`; null where it has none. */
export function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : null;
}
