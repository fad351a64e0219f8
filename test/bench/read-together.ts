/**
 * Reads one at a time, and then all that were asked for meanwhile in one statement.
 * @returns one that rejects where there is nothing to read under the key
 */
export function readTogether<Value>(
  read: (keys: readonly string[]) => Promise<ReadonlyMap<string, Value>>,
): (key: string) => Promise<Value> {
  let next: Promise<ReadonlyMap<string, Value>> | null = null;
  let keys: string[] = [];
  let last: Promise<unknown> = Promise.resolve();
  return async (key) => {
    keys.push(key);
    next ??= last.then(() => {
      const asked = keys;
      [next, keys] = [null, []];
      const reading = read(asked);
      last = reading.catch(() => {});
      return reading;
    });
    const value = (await next).get(key);
    if (value === undefined) throw new Error(`${key} has nothing to read`);
    return value;
  };
}
