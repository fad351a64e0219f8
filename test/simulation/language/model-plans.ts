import { PlanCache } from '../../../shared/application/plan-cache.ts';
import { planDefaults } from '../../../shared/config/plan-defaults.ts';
import type { WorkflowDefinition } from '../../../shared/definition/workflow-definition.ts';
import type { Plan } from '../../../shared/engine/plan.ts';

/** An environment's plans, where the models of workflows (engine/workflow-model.ts) are what versions compile to. */
export class ModelPlans extends PlanCache {
  readonly #models: ReadonlyMap<string, Plan>;
  readonly #loaded = new Set<string>();

  /** @param models by version */
  constructor(models: ReadonlyMap<string, Plan>) {
    super(planDefaults);
    this.#models = models;
  }

  override get(versionId: string): Plan | undefined {
    return this.#loaded.has(versionId) ? this.#models.get(versionId) : undefined;
  }

  override add(versionId: string, _definition: WorkflowDefinition): Plan {
    const plan = this.#models.get(versionId);
    if (plan === undefined) throw new Error(`There is no version ${versionId}`);
    this.#loaded.add(versionId);
    return plan;
  }
}
