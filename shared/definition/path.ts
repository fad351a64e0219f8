/** A string that starts `$.` or `$[` is a path; every other value, `$5.00` too, is a literal. */
export function isPath(value: unknown): value is string {
  return typeof value === 'string' && (value.startsWith('$.') || value.startsWith('$['));
}
