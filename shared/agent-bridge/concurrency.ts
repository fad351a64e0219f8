/** Like Promise.all, but waits for all of them also when one fails. @throws the first error. */
export async function allDone(works: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(works);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

/** Runs `work` for every item, so many at once. @throws the first error, when all the others are done. */
export async function forEachAtOnce<Item>(
  atOnce: number,
  items: readonly Item[],
  work: (item: Item) => Promise<void>,
): Promise<void> {
  let next = 0;
  const works: Promise<void>[] = [];
  const worker = async () => {
    while (next < items.length) {
      const working = work(items[next++]!);
      works.push(working);
      await working.catch(() => {});
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker));
  await allDone(works);
}
