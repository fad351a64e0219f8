import { LRUCache } from 'lru-cache';
import { compilePlan, type PlanDefaults } from '../definition/compile-plan.ts';
import type { WorkflowDefinition } from '../definition/workflow-definition.ts';
import type { Plan } from '../engine/plan.ts';

const MAX_PLANS = 1_000;

/** Compiled plans by version. Versions are immutable, so an entry is never stale. */
export class PlanCache {
  readonly #defaults: PlanDefaults;
  readonly #plans = new LRUCache<string, Plan>({ max: MAX_PLANS });

  constructor(defaults: PlanDefaults) {
    this.#defaults = defaults;
  }

  get(versionId: string): Plan | undefined {
    return this.#plans.get(versionId);
  }

  add(versionId: string, definition: WorkflowDefinition): Plan {
    const plan = compilePlan(definition, this.#defaults);
    this.#plans.set(versionId, plan);
    return plan;
  }
}

/** The plan of a version; null for a run that has none. */
export type FindPlan = (versionId: string | null) => Promise<Plan | null>;

export interface StoredVersions {
  loadVersions(
    ids: readonly string[],
  ): Promise<ReadonlyMap<string, { readonly definition: WorkflowDefinition }>>;
}

export function createFindPlan(plans: PlanCache, { loadVersions }: StoredVersions): FindPlan {
  return async (versionId) => {
    if (versionId === null) return null;
    const known = plans.get(versionId);
    if (known) return known;
    const stored = (await loadVersions([versionId])).get(versionId);
    return stored ? plans.add(versionId, stored.definition) : null;
  };
}
