/**
 * A part of a `with`, to be read by the statement's `from`: its commit does not wait for the disk. For what is no loss when a crash
 * undoes it.
 */
export const LAZILY = `lazily as materialized (select set_config('synchronous_commit', 'off', true))`;
