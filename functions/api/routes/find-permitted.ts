import type { Viewer } from '../../../shared/application/permissions.ts';
import type { ExecutableWorkflow } from '../../../shared/application/start-run.ts';
import type { RunRights } from '../../../shared/persistence/run-queries.ts';
import { ApiError } from '../http/api-error.ts';
import type { Recalled } from '../http/route.ts';
import type { ApiServices } from '../services.ts';

/*
 * What a route is about, for those who may do it. Null where the caller may not even see it, which is a 404;
 * 403 PERMISSION_DENIED where they see it and may not do this with it.
 */

export async function findExecutable(
  caller: Viewer,
  workflowId: string,
  { workflows }: Pick<ApiServices, 'workflows'>,
): Promise<ExecutableWorkflow | null> {
  const found = await workflows.maybeFindExecutable(caller, workflowId);
  if (found && !found.mayExecute) throw denied('can_execute on this workflow is needed');
  return found?.workflow ?? null;
}

/** Of what was found for the same caller before; null: it is to be found. */
export function recallExecutable(
  caller: Viewer,
  workflowId: string,
  { workflows }: Pick<ApiServices, 'workflows'>,
): Recalled<ExecutableWorkflow> | null {
  const seen = workflows.recallExecutable(caller, workflowId);
  return seen && { subject: seen.workflow, grounds: seen.grounds };
}

export async function findManageable(
  caller: Viewer,
  workflowId: string,
  { workflows }: Pick<ApiServices, 'workflows'>,
): Promise<{ readonly id: string } | null> {
  const found = await workflows.maybeFindRights(caller, workflowId);
  if (found && !found.mayManage) throw denied('Only its owner may change this workflow');
  return found;
}

export async function findChangeableRun(
  caller: Viewer,
  runId: string,
  { runs }: Pick<ApiServices, 'runs'>,
): Promise<RunRights | null> {
  const found = await runs.maybeFindRunRights(caller, runId);
  if (found && !found.mayExecute) throw denied('can_execute on the workflow of this run is needed');
  return found;
}

/** @throws ApiError 403: what is everybody's is an admin's to see. */
export function requireAdmin(caller: Pick<Viewer, 'isAdmin'> | null): void {
  if (!caller?.isAdmin) throw denied('Only an admin may see this');
}

/**
 * Whose run it is, and so who counts and finds it, is not the client's to say.
 * @throws ApiError 403
 */
export function requireMembership(
  { isAdmin, communities }: Pick<Viewer, 'isAdmin' | 'communities'>,
  communityId: number | null | undefined,
): void {
  if (isAdmin || communityId === null || communityId === undefined) return;
  if (!communities.includes(communityId)) throw denied(`You are not a member of community ${communityId}`);
}

function denied(why: string): ApiError {
  return new ApiError('PERMISSION_DENIED', why);
}
