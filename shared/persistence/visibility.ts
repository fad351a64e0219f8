import type { Viewer } from '../application/permissions.ts';
import type { Parameters } from './sql.ts';

/*
 * Who sees what, as conditions for `where`: here and nowhere else. An admin sees everything; a row without an owner is the
 * admin's alone (design §3), except an agent, which is everybody's.
 */

export function canViewWorkflow(viewer: Viewer, parameters: Parameters): string {
  return isOwnerOr(viewer, parameters, 'w.owner', () => `w.id in (${grantedWorkflows(viewer, parameters)})`);
}

export function canExecuteWorkflow(viewer: Viewer, parameters: Parameters): string {
  return isOwnerOr(
    viewer,
    parameters,
    'w.owner',
    () => `w.id in (${grantedWorkflows(viewer, parameters, 'can_execute')})`,
  );
}

export function canManageWorkflow(viewer: Viewer, parameters: Parameters): string {
  return isOwner('w.owner', viewer, parameters);
}

/** The grant by which somebody may execute another's workflow: its id and its row's version, where they have one and need one. */
export function executeGrant({ isAdmin, userId, communities }: Viewer, parameters: Parameters): string {
  const to = `g.user_id = ${parameters.add(userId)} or g.community_id = any(${parameters.add(communities)}::bigint[])`;
  return `select g.id, g.xmin::text as row_version from workflow_grants g
    where ${!isAdmin} and w.owner <> ${parameters.add(userId)} and g.workflow_id = w.id and g.can_execute and (${to}) limit 1`;
}

/** All runs of a workflow that the viewer may see (design §5). */
export function canViewRun(viewer: Viewer, parameters: Parameters): string {
  return isOwnerOr(viewer, parameters, 'r.owner', () => isRunOfGranted(viewer, parameters, 'can_view'));
}

/** Starting, and so cancelling and retrying too. */
export function canExecuteRun(viewer: Viewer, parameters: Parameters): string {
  return isOwnerOr(viewer, parameters, 'r.owner', () => isRunOfGranted(viewer, parameters, 'can_execute'));
}

/** The workflows that others let the viewer see or run: their ids, as a subquery. */
export function grantedWorkflows(
  { userId, communities }: Viewer,
  parameters: Parameters,
  right: 'can_view' | 'can_execute' = 'can_view',
): string {
  // Each by its own index: of the two with `or`, PostgreSQL 17 would read the whole table.
  const grantsWith = (to: string) => `select g.workflow_id from workflow_grants g where g.${right} and ${to}`;
  return `${grantsWith(`g.user_id = ${parameters.add(userId)}`)}
    union all ${grantsWith(`g.community_id = any(${parameters.add(communities)}::bigint[])`)}`;
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

// A run names its workflow in a column of text, in which another producer may have written anything.
function isRunOfGranted(viewer: Viewer, parameters: Parameters, right: 'can_view' | 'can_execute'): string {
  return `r.owner is not null and r.workflow_definition_id in (
    select granted.workflow_id::text from (${grantedWorkflows(viewer, parameters, right)}) granted)`;
}

function isOwnerOr(viewer: Viewer, parameters: Parameters, column: string, isGranted: () => string): string {
  return viewer.isAdmin ? 'true' : `(${isOwner(column, viewer, parameters)} or (${isGranted()}))`;
}

/** What one did oneself. */
export function canViewAudit(viewer: Viewer, parameters: Parameters): string {
  return isOwner('l.user_id', viewer, parameters);
}

function isOwner(column: string, viewer: Viewer, parameters: Parameters): string {
  return viewer.isAdmin ? 'true' : `${column} = ${parameters.add(viewer.userId)}`;
}
