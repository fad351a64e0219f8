/**
 * The least and the greatest of runs' ids as the database orders them, byte by byte: a statement that is told them reads the months
 * between (migrations/0001). Of none: nothing is between.
 */
export function rangeOf(runIds: Iterable<string>): readonly [lowest: string | null, highest: string | null] {
  let lowest: string | null = null;
  let highest: string | null = null;
  for (const runId of runIds) {
    if (lowest === null || isBefore(runId, lowest)) lowest = runId;
    if (highest === null || isBefore(highest, runId)) highest = runId;
  }
  return [lowest, highest];
}

/** What is not ASCII has another order in UTF-16 than it has in UTF-8. */
function isBefore(one: string, other: string): boolean {
  return Buffer.compare(Buffer.from(one), Buffer.from(other)) < 0;
}
