import type { Draft } from './draft.ts';
import type { Json } from './json.ts';
import type { Plan, PlanStep, Reads, Scope } from './plan.ts';
import { childOf, scopesAround } from './scope-path.ts';
import { stepKey } from './state.ts';

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

/** What a step's expressions see. */
export function viewOf(plan: Plan, draft: Draft, step: PlanStep, scope: string, reads: Reads): Scope {
  const around = scopesAround(scope);
  const nearest = <Value>(values: ReadonlyMap<string, Value>) => {
    const found = around.find((each) => values.has(each));
    return found === undefined ? undefined : values.get(found);
  };
  const outputs = new Map<string, Json>();
  for (const stepId of reads.steps) {
    const output = draft.outputs.get(stepKey(scopeSeen(plan, step, around, stepId), stepId));
    if (output !== undefined) outputs.set(stepId, output);
  }
  const item = reads.item ? itemScope(plan, step, around) : null;
  return {
    workflowInput: draft.loaded.workflowInput,
    variables: nearest(draft.variables) ?? null,
    outputs,
    error: nearest(draft.errors),
    ...(item !== null && { item: draft.children.get(item)?.input ?? null, index: Number(childOf(item)) }),
  };
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
