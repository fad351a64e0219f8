import { planDefaults } from '../../shared/config/plan-defaults.ts';
import { compilePlan, type PlanDefaults } from '../../shared/definition/compile-plan.ts';
import { parseDefinition } from '../../shared/definition/parse-definition.ts';
import type { Plan } from '../../shared/engine/plan.ts';

/** The plan of a definition that can be registered; its name and start step may be left out: the first step is it. */
export function planOf(
  definition: { readonly steps: Readonly<Record<string, object>>; readonly [field: string]: unknown },
  defaults: Partial<PlanDefaults> = {},
): Plan {
  const [start_step] = Object.keys(definition.steps);
  const parsed = parseDefinition({ name: 'w', start_step, ...definition });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return compilePlan(parsed.definition, { ...planDefaults, ...defaults });
}
