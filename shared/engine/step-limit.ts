import type { Draft } from './draft.ts';
import type { Plan, PlanStep } from './plan.ts';
import { scopesAround } from './scope-path.ts';
import type { Attempt } from './state.ts';
import { itemScope } from './view.ts';

/** So many steps more may start beyond the limit: those that catch STEP_LIMIT. */
export const STEPS_TO_CATCH_WITH = 100;

interface Decided {
  readonly plan: Plan;
  readonly draft: Draft;
}

type Visit = Pick<Attempt, 'scope' | 'visit'>;

/** What is held against the limit: the run's steps, or, where items are counted apart, this one's visits in its item. */
export function stepsCounted({ plan, draft }: Decided, step: PlanStep, { scope, visit }: Visit): number {
  const item = itemScope(plan, step, scopesAround(scope));
  return item === null ? draft.run.stepsStarted : visit;
}

/** What catches STEP_LIMIT has some steps more. In an item it has visits of its own. */
export function hasCaughtStepLimit(decided: Decided, step: PlanStep, attempt: Visit): boolean {
  if (isBeyondCatching(decided, step, attempt)) return false;
  const { plan, draft } = decided;
  const around = scopesAround(attempt.scope);
  if (itemScope(plan, step, around) !== null) return false;
  const scope = around.find((each) => draft.errors.has(each));
  return scope !== undefined && draft.errors.get(scope)?.code === 'STEP_LIMIT';
}

/** What has used up its steps must not begin others for ever. */
export function isBeyondCatching(decided: Decided, step: PlanStep, attempt: Visit): boolean {
  const { maxStepsPerRun } = decided.plan.settings;
  return stepsCounted(decided, step, attempt) > maxStepsPerRun + STEPS_TO_CATCH_WITH;
}
