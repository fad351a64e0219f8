import { compilePlan, type PlanDefaults } from '../definition/compile-plan.ts';
import type { WorkflowDefinition } from '../definition/workflow-definition.ts';
import type { Plan } from '../engine/plan.ts';

const MAX_PLANS = 1_000;

/** Compiled plans by version. Versions are immutable, so an entry is never stale; the least recently used go first. */
export class PlanCache {
  readonly #defaults: PlanDefaults;
  readonly #plans = new Map<string, Plan>();

  constructor(defaults: PlanDefaults) {
    this.#defaults = defaults;
  }

  get(versionId: string): Plan | undefined {
    const plan = this.#plans.get(versionId);
    if (plan !== undefined) {
      this.#plans.delete(versionId);
      this.#plans.set(versionId, plan);
    }
    return plan;
  }

  add(versionId: string, definition: WorkflowDefinition): Plan {
    const plan = compilePlan(definition, this.#defaults);
    this.#plans.set(versionId, plan);
    if (this.#plans.size > MAX_PLANS) this.#plans.delete(this.#plans.keys().next().value as string);
    return plan;
  }
}
