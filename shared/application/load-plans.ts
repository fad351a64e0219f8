import { limits } from '../config/limits.ts';
import { type DefinitionProblem, parseWorkflowPlan } from '../definition/parse-definition.ts';
import type { WorkflowDefinition } from '../definition/workflow-definition.ts';
import type { Plan } from '../engine/plan.ts';
import type { State } from '../engine/state.ts';
import { storableText } from '../engine/storable-text.ts';
import type { BatchItem, VersionChange } from './batch.ts';
import { incompatibleSteps } from './incompatible-steps.ts';
import type { PlanCache } from './plan-cache.ts';
import type { LoadedRun, LoadedVersion, RunReads } from './ports/run-store.ts';

export interface Planned {
  readonly plan?: Plan;
  readonly versionId?: string | null;
  /** Why the inline plan cannot be taken. */
  readonly refusal?: string;
  /** Why the stored plan cannot be compiled. */
  readonly defect?: string;
}

/** The plan stored with the run decides, never the record's copy; only a run without one takes it from the record. */
export async function loadPlans(
  plans: PlanCache,
  reads: RunReads,
  runs: ReadonlyMap<string, LoadedRun>,
  items: readonly BatchItem[],
): Promise<Map<string, Planned>> {
  const known = new Map<string, Plan>();
  const missing = new Set<string>();
  for (const { versionId } of runs.values()) {
    if (versionId === null || known.has(versionId)) continue;
    const plan = plans.get(versionId);
    if (plan === undefined) missing.add(versionId);
    else known.set(versionId, plan);
  }
  const loaded = missing.size === 0 ? null : await reads.loadVersions([...missing]);
  const defects = compileInto(known, plans, loaded);
  const planned = new Map<string, Planned>();
  for (const [runId, { versionId }] of runs) {
    if (versionId === null) continue;
    const plan = known.get(versionId);
    const defect = defects.get(versionId);
    if (plan !== undefined) planned.set(runId, { plan, versionId });
    else if (defect !== undefined) planned.set(runId, { defect, versionId });
  }
  const inline = new Map<string, WorkflowDefinition>();
  for (const { runId, inlinePlan, inlinePlanLosses: losses = [] } of items) {
    if (inlinePlan === undefined || !runs.has(runId) || planned.has(runId) || inline.has(runId)) continue;
    const parsed =
      losses.length > 0 ? { ok: false as const, problems: losses } : parseWorkflowPlan(inlinePlan);
    if (parsed.ok) inline.set(runId, parsed.definition);
    else planned.set(runId, { refusal: refusalOf(parsed.problems) });
  }
  if (inline.size === 0) return planned;
  const stored = await reads.storeInlinePlans([...inline.values()]);
  [...inline].forEach(([runId, definition], i) => {
    const versionId = stored[i] as string;
    planned.set(runId, { plan: plans.get(versionId) ?? plans.add(versionId, definition), versionId });
  });
  return planned;
}

function refusalOf(problems: readonly DefinitionProblem[]): string {
  const texts = problems.map(({ path, message }) => `${path || 'workflow_plan'}: ${message}`);
  const text = `The workflow_plan of the execution request is not valid: ${texts.join('; ')}`;
  return storableText(text, limits.maxErrorMessageLength);
}

/** @returns what keeps plans from being compiled, by version: that of one is no other's */
function compileInto(
  known: Map<string, Plan>,
  plans: PlanCache,
  loaded: ReadonlyMap<string, LoadedVersion> | null,
): ReadonlyMap<string, string> {
  const defects = new Map<string, string>();
  for (const [id, { definition }] of loaded ?? []) {
    try {
      known.set(id, plans.add(id, definition));
    } catch (error) {
      defects.set(id, `The plan of version ${id} cannot be compiled: ${(error as Error).message}`);
    }
  }
  return defects;
}

export interface OtherVersions {
  planned(version: VersionChange): Planned;
  /**
   * What keeps an item's run from going on with the version that it asks for; empty where it asks for none.
   * @param before the plan that the run has had
   * @param state with the attempts where it would go on
   */
  incompatibleSteps(item: BatchItem, before: Plan | undefined, state: State): readonly string[];
}

/** The plan that an item is decided by, where its run has not been decided in this batch. */
export function plannedFor(
  { runId, version }: BatchItem,
  planned: ReadonlyMap<string, Planned>,
  others: OtherVersions,
): Planned {
  return (version ? others.planned(version) : planned.get(runId)) ?? {};
}

/** Other versions that retries go on with, and what their runs have completed. */
export async function loadOtherVersions(
  plans: PlanCache,
  reads: RunReads,
  runs: ReadonlyMap<string, LoadedRun>,
  items: readonly BatchItem[],
): Promise<OtherVersions> {
  const asked = items.filter(({ runId, version }) => version && runs.has(runId));
  const missing = new Set<string>();
  const known = new Map<string, Plan>();
  for (const { version } of asked) {
    const plan = version && plans.get(version.versionId);
    if (plan) known.set(version.versionId, plan);
    else if (version) missing.add(version.versionId);
  }
  const [loaded, completed] = await Promise.all([
    missing.size === 0 ? null : reads.loadVersions([...missing]),
    asked.length === 0 ? null : reads.loadCompletedSteps([...new Set(asked.map(({ runId }) => runId))]),
  ]);
  const defects = compileInto(known, plans, loaded);
  const planned = ({ versionId }: VersionChange): Planned => {
    const plan = known.get(versionId);
    const defect = defects.get(versionId);
    if (defect !== undefined) return { defect, versionId };
    return plan ? { plan, versionId } : {};
  };
  return {
    planned,
    incompatibleSteps({ runId, version, event }, before, { attempts }) {
      const after = version && planned(version).plan;
      if (!before || !after) return [];
      const goesBack = event.type === 'retry_requested' && typeof event.fromStep === 'string';
      // Where it goes on, unless that is said.
      const last = [...attempts.values()].filter(({ scope }) => !goesBack || scope !== '');
      const done = [...(completed?.get(runId) ?? []), ...last.map(({ stepId }) => stepId)];
      return incompatibleSteps(before, after, [...new Set(done)]);
    },
  };
}
