import type { WorkflowDefinition } from '../definition/workflow-definition.ts';
import type { Plan } from '../engine/plan.ts';
import type { PlanCache } from './plan-cache.ts';

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
