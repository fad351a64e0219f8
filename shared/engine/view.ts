import type { Draft, Rows } from './draft.ts';
import type { Json } from './json.ts';
import type { Plan, PlanStep, Scope } from './plan.ts';
import { childOf, scopesAround } from './scope-path.ts';
import { type Run, stepKey } from './state.ts';

/*
 * What a step sees from where it stands: outputs and variables of its own scope and of those around it, the innermost first, and
 * the item of the innermost map.
 */

export function stepOf(plan: Plan, stepId: string): PlanStep {
  const step = plan.steps.get(stepId);
  // Plans are validated and a run keeps its version: a miss is a defect, not an input.
  if (step === undefined) throw new Error(`The plan has no step ${stepId}`);
  return step;
}

/** What a step's expressions see, read when they read it. @param output what the step came to */
export function viewOf(plan: Plan, draft: Draft, step: PlanStep, scope: string, output?: Json): Scope {
  const around = scopesAround(scope);
  const nearest = <Value>(values: Rows<Value>) => {
    const found = around.find((each) => values.has(each));
    return found === undefined ? undefined : values.get(found);
  };
  const item = () => itemScope(plan, step, around);
  return {
    get workflowInput() {
      return draft.workflowInput;
    },
    get variables() {
      return nearest(draft.variables) ?? null;
    },
    outputs: {
      get: (stepId) => draft.outputs.get(stepKey(scopeSeen(plan, step, around, stepId), stepId)),
    },
    get error() {
      return nearest(draft.errors);
    },
    get item() {
      const own = item();
      return own === null ? undefined : (draft.children.get(own)?.input ?? null);
    },
    get index() {
      const own = item();
      return own === null ? undefined : Number(childOf(own));
    },
    output,
  };
}

/** Whether a step may have been visited in its scope before, so that its visits must be counted; else it is the first. */
export function mayComeAgain(step: PlanStep, run: Run): boolean {
  return step.inCycle || run.revisits;
}

/** The scope whose step of that id a step sees: its own, or one around it. */
export function scopeSeen(plan: Plan, step: PlanStep, around: readonly string[], stepId: string): string {
  return around[step.depth - (plan.steps.get(stepId)?.depth ?? step.depth)] ?? '';
}

/** The scope of the innermost map's item that a step runs for; null outside of maps. */
export function itemScope(plan: Plan, step: PlanStep, around: readonly string[]): string | null {
  let container = step.within;
  for (const scope of around) {
    if (container === null) return null;
    const { type, within } = stepOf(plan, container);
    if (type === 'map') return scope;
    container = within;
  }
  return null;
}
