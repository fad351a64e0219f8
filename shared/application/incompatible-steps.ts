import type { Plan, PlanStep } from '../engine/plan.ts';

/**
 * Of the steps that a run has completed, those that another version does not have as they were: of the same type, within the
 * same parallel and map steps. What a run has done stands in scopes that these make: it cannot go on where they differ.
 */
export function incompatibleSteps(before: Plan, after: Plan, completed: readonly string[]): string[] {
  return completed.filter((stepId) => {
    const was = before.steps.get(stepId);
    // What the version so far does not have either is not the other's fault.
    return was !== undefined && !isSameAround(before, after, was);
  });
}

function isSameAround(before: Plan, after: Plan, was: PlanStep): boolean {
  const is = after.steps.get(was.id);
  if (is === undefined || is.type !== was.type || is.within !== was.within || !hasBranches(was, is))
    return false;
  const around = was.within === null ? undefined : before.steps.get(was.within);
  return around === undefined || isSameAround(before, after, around);
}

/** Scopes are named by branches. */
function hasBranches(was: PlanStep, is: PlanStep): boolean {
  if (!('branches' in was && 'branches' in is)) return true;
  const names = new Set(is.branches.map(({ name }) => name));
  return was.branches.every(({ name }) => names.has(name));
}
