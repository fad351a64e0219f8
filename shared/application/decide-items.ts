import { decide } from '../engine/decide.ts';
import type { Decision } from '../engine/decision.ts';
import type { Draws } from '../engine/draft.ts';
import type { EngineEvent } from '../engine/event.ts';
import type { State } from '../engine/state.ts';
import type { AuditRecord } from './audit.ts';
import type { BatchItem, Outcome } from './batch.ts';
import type { DecidedRun } from './changes-of.ts';
import { EMPTY_PLAN } from './empty-plan.ts';
import { type OtherVersions, type Planned, plannedFor } from './load-plans.ts';
import type { LockedRun } from './ports.ts';

/** What a batch's transaction has loaded, by run. */
export interface LoadedBatch {
  /** Those that exist. */
  readonly runs: ReadonlyMap<string, LockedRun>;
  readonly planned: ReadonlyMap<string, Planned>;
  readonly others: OtherVersions;
  readonly states: ReadonlyMap<string, State>;
  readonly orphans: ReadonlySet<string>;
}

export interface DecidedBatch {
  /** One for each item, in their order. */
  readonly outcomes: Outcome[];
  readonly decided: readonly DecidedRun[];
  /** Of the calls that were decided. */
  readonly audited: readonly AuditRecord[];
}

/**
 * Decides items one after the other, each on the state that the one before left of its run.
 * @param now epoch milliseconds
 */
export function decideItems(
  items: readonly BatchItem[],
  { runs, planned, others, states, orphans }: LoadedBatch,
  now: number,
  draws: Draws,
): DecidedBatch {
  const decided = new Map<string, DecidedRun>();
  const audited: AuditRecord[] = [];
  const outcomes = items.map((item): Outcome => {
    const { runId, event: asked, audit, version } = item;
    const run = runs.get(runId);
    if (run === undefined) return { outcome: 'unknown_run' };
    const before = decided.get(runId);
    const state = before?.state ?? (states.get(runId) as State);
    const stepIds = others.incompatibleSteps(item, before?.plan ?? planned.get(runId)?.plan, state);
    if (stepIds.length > 0) return { outcome: 'incompatible', stepIds };
    const { plan, versionId, refusal }: Planned =
      before && !version
        ? { plan: before.plan, versionId: before.versionId }
        : plannedFor(item, planned, others);
    const isRefused = refusal !== undefined && asked.type === 'execution_requested';
    const event: EngineEvent = isRefused ? { type: 'plan_refused', message: refusal } : asked;
    // A run ends without a plan, and does nothing else.
    if (plan === undefined && !isRefused && event.type !== 'cancellation_requested') {
      return { outcome: 'refused', code: 'NO_PLAN' };
    }
    let decision: Decision;
    try {
      decision = decide(plan ?? EMPTY_PLAN, state, event, now, draws);
    } catch (error) {
      return { outcome: 'defect', reason: (error as Error).message };
    }
    if (!decision.ok) return { outcome: 'refused', code: decision.code };
    if (item.onlyOfNobody && run.owner !== null && !orphans.has(runId)) return { outcome: 'unauthorised' };
    decided.set(runId, {
      locked: run,
      plan: plan ?? EMPTY_PLAN,
      versionId: versionId ?? null,
      version: version ?? before?.version,
      loaded: before?.loaded ?? state,
      state: decision.state,
      effects: before ? [...before.effects, ...decision.effects] : decision.effects,
    });
    if (audit) audited.push({ ...audit, result: 'SUCCESS', resource: runId });
    return { outcome: 'decided', status: decision.state.run.status };
  });
  return { outcomes, decided: [...decided.values()], audited };
}
