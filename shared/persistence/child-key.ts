import { joinOf } from '../engine/scope-path.ts';

/** Where a branch or item is in `scope_children`: under its join, by the last part of its scope. */
export function childKey(scope: string): { readonly path: string; readonly child: string } {
  const path = joinOf(scope) ?? '';
  return { path, child: scope.slice(path.length + 1) };
}
