import type { Viewer } from '../application/viewer.ts';

/** A statement's values, numbered as they are added. */
export class Parameters {
  readonly values: unknown[] = [];
  add(value: unknown): string {
    return `$${this.values.push(value)}`;
  }
}

/*
 * Who sees what, as conditions for `where`: here and nowhere else. An admin sees everything; a row without an owner is the
 * admin's alone (design §3), except an agent, which is everybody's.
 */

export function canViewWorkflow(viewer: Viewer, parameters: Parameters): string {
  return isOwner('w.owner', viewer, parameters);
}

export function canExecuteWorkflow(viewer: Viewer, parameters: Parameters): string {
  return isOwner('w.owner', viewer, parameters);
}

export function canManageWorkflow(viewer: Viewer, parameters: Parameters): string {
  return isOwner('w.owner', viewer, parameters);
}

export function canViewRun(viewer: Viewer, parameters: Parameters): string {
  return isOwner('r.owner', viewer, parameters);
}

/** One's own, an admin's too: what the plain face shows (design §5). */
export function ownsRun({ userId }: Viewer, parameters: Parameters): string {
  return `r.owner = ${parameters.add(userId)}`;
}

export function canViewAgent(viewer: Viewer, parameters: Parameters): string {
  return viewer.isAdmin ? 'true' : `(a.owner = ${parameters.add(viewer.userId)} or a.owner is null)`;
}

export function canManageAgent(viewer: Viewer, parameters: Parameters): string {
  return isOwner('a.owner', viewer, parameters);
}

export function canManageApiKey(viewer: Viewer, parameters: Parameters): string {
  return isOwner('k.user_id', viewer, parameters);
}

function isOwner(column: string, viewer: Viewer, parameters: Parameters): string {
  return viewer.isAdmin ? 'true' : `${column} = ${parameters.add(viewer.userId)}`;
}
