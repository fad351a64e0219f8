/*
 * Where a step runs. The top of a run is the scope ''. A parallel or map step opens a join, and each branch or item is a scope:
 *
 *   join    <scope>/<step id>#<visit>     of the scope that the step stands in, whose `''/` is left out
 *   scope   <join>/<branch name or index>
 *
 * Ids are percent-encoded, so that `/` and `#` only separate. Paths are compared and cut here, and nowhere taken apart further.
 */

/** The join that a container step opens. */
export function joinPath(scope: string, stepId: string, visit: number): string {
  return `${scope === '' ? '' : `${scope}/`}${encodeURIComponent(stepId)}#${visit}`;
}

/** A branch's or item's scope. */
export function childScope(join: string, child: string | number): string {
  return `${join}/${encodeURIComponent(child)}`;
}

/** The join that a scope is a child of; null at the top. */
export function joinOf(scope: string): string | null {
  return scope === '' ? null : scope.slice(0, scope.lastIndexOf('/'));
}

/** The branch name or index that a scope is in its join. */
export function childOf(scope: string): string {
  return decodeURIComponent(scope.slice(scope.lastIndexOf('/') + 1));
}

/** The scope that a join's container stands in. */
export function scopeOf(join: string): string {
  return join.slice(0, Math.max(join.lastIndexOf('/'), 0));
}

/** A scope and all around it, innermost first. */
export function scopesAround(scope: string): string[] {
  const scopes = [scope];
  for (let at = scope; at !== ''; ) {
    at = scopeOf(joinOf(at) ?? '');
    scopes.push(at);
  }
  return scopes;
}

/** Whether `scope` is a child of `join`, at any depth. */
export function isWithin(scope: string, join: string): boolean {
  return scope.startsWith(`${join}/`);
}

/** Where a branch or item stands. */
export interface Place {
  /** The scope around. */
  readonly around: string;
  /** The parallel or map step. */
  readonly stepId: string;
  readonly visit: number;
  /** Branch name or index. */
  readonly child: string;
}

/** Null at the top, and where another producer has written something else. */
export function placeOf(scope: string): Place | null {
  const join = scope.includes('/') ? joinOf(scope) : null;
  if (join === null) return null;
  const around = scopeOf(join);
  const container = around === '' ? join : join.slice(around.length + 1);
  const [, stepId = container, visit = '1'] = /^(.*)#(\d+)$/s.exec(container) ?? [];
  const child = scope.slice(join.length + 1);
  return { around, stepId: decoded(stepId), visit: Number(visit), child: decoded(child) };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Where a branch or item is kept: under its join, by the last part of its scope. */
export function childKey(scope: string): { readonly path: string; readonly child: string } {
  const path = joinOf(scope) ?? '';
  return { path, child: scope.slice(path.length + 1) };
}
