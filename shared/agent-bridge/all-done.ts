/** Like Promise.all, but waits for all of them also when one fails. @throws the first error. */
export async function allDone(works: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(works);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}
