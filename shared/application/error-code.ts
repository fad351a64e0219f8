/** What an error is known by, whoever throws it: its `code`; null where it has none. */
export function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : null;
}
