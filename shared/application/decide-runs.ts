import { decide, MAX_LACKING } from '../engine/decide.ts';
import type { Draws } from '../engine/draft.ts';
import type { Decision } from '../engine/effects.ts';
import type { EngineEvent } from '../engine/event.ts';
import { NotLoadedError } from '../engine/known.ts';
import type { Needs } from '../engine/needs.ts';
import { EMPTY_PLAN } from '../engine/plan.ts';
import { isOpenRun, type State } from '../engine/state.ts';
import type { AuditRecord } from './audit.ts';
import type { BatchItem, Outcome } from './batch.ts';
import type { DecidedRun } from './changes-of.ts';
import { type OtherVersions, type Planned, plannedFor } from './load-plans.ts';
import type { LoadedRun } from './ports/run-store.ts';

/** An item with what it was found to need beside what is told of its event. */
export interface PendingItem extends BatchItem {
  readonly lacking?: readonly Needs[];
}

/**
 * Its decision reads what was not loaded: with that, it is decided again. Null: it comes after one of its run that is, or the run
 * itself is to be read first.
 */
export interface Lacking {
  readonly outcome: 'lacking';
  readonly needs: Needs | null;
}

export type ItemOutcome = Outcome | Lacking;

/** What a batch's transaction has loaded, by run. */
export interface LoadedBatch {
  /** Those that exist. */
  readonly runs: ReadonlyMap<string, LoadedRun>;
  readonly planned: ReadonlyMap<string, Planned>;
  readonly others: OtherVersions;
  readonly states: ReadonlyMap<string, State>;
  /** Runs whose state is the one that was saved last from here: what it lacks is not known, and nobody is refused or fails by it. */
  readonly warm: ReadonlySet<string>;
  readonly orphans: ReadonlySet<string>;
}

export interface DecidedBatch {
  /** One for each item, in their order. */
  readonly outcomes: readonly ItemOutcome[];
  readonly decided: readonly DecidedRun[];
  /** Of the calls that were decided. */
  readonly audited: readonly AuditRecord[];
}

/**
 * Decides items one after the other, each on the state that the one before left of its run.
 * @param now epoch milliseconds
 */
export function decideRuns(
  items: readonly PendingItem[],
  { runs, planned, others, states, warm, orphans }: LoadedBatch,
  now: number,
  draws: Draws,
): DecidedBatch {
  const decided = new Map<string, DecidedRun>();
  const audited: AuditRecord[] = [];
  const waiting = new Set<string>();
  const readFirst = (runId: string): Lacking => {
    waiting.add(runId);
    return { outcome: 'lacking', needs: null };
  };
  const outcomes = items.map((item): ItemOutcome => {
    const { runId, event: asked, audit, version } = item;
    const run = runs.get(runId);
    if (run === undefined) return { outcome: 'unknown_run' };
    // Its run's events keep their order.
    if (waiting.has(runId)) return { outcome: 'lacking', needs: null };
    const before = decided.get(runId);
    const state = before?.state ?? (states.get(runId) as State);
    // Before anything comes of it: what fails for somebody who may not ask must not end the run either.
    if (item.onlyOfNobody && run.owner !== null && !orphans.has(runId)) {
      return isOpenRun(state.run) ? { outcome: 'unauthorised' } : { outcome: 'refused', code: 'RUN_CLOSED' };
    }
    const stepIds = others.incompatibleSteps(item, before?.plan ?? planned.get(runId)?.plan, state);
    if (stepIds.length > 0) return { outcome: 'incompatible', stepIds };
    const { plan, versionId, refusal, defect }: Planned =
      before && !version
        ? { plan: before.plan, versionId: before.versionId }
        : plannedFor(item, planned, others);
    const isRefused = refusal !== undefined && asked.type === 'execution_requested';
    const event: EngineEvent = isRefused
      ? { type: 'plan_refused', message: refusal }
      : asked.type === 'retry_requested' && version
        ? { ...asked, changesVersion: version.versionId !== run.versionId }
        : asked;
    // A run ends without a plan, and does nothing else.
    const isEnd = event.type === 'cancellation_requested' || event.type === 'given_up';
    if (defect !== undefined && !isEnd) return { outcome: 'defect', reason: defect };
    if (plan === undefined && !isRefused && !isEnd) {
      return { outcome: 'refused', code: 'NO_PLAN' };
    }
    let decision: Decision;
    try {
      decision = decide(plan ?? EMPTY_PLAN, state, event, now, draws);
    } catch (error) {
      if (warm.has(runId)) return readFirst(runId);
      if (error instanceof NotLoadedError && error.needs && (item.lacking?.length ?? 0) < MAX_LACKING) {
        waiting.add(runId);
        return { outcome: 'lacking', needs: error.needs };
      }
      return { outcome: 'defect', reason: (error as Error).message };
    }
    // Only what is saved is compared with what is stored.
    if (warm.has(runId) && (!decision.ok || decision.state.run === state.run)) return readFirst(runId);
    if (!decision.ok) return { outcome: 'refused', code: decision.code };
    decided.set(runId, {
      stored: run,
      plan: plan ?? EMPTY_PLAN,
      versionId: versionId ?? null,
      version: version ?? before?.version,
      loaded: before?.loaded ?? state,
      state: decision.state,
      effects: before ? [...before.effects, ...decision.effects] : decision.effects,
      isByTimes: before?.isByTimes || asked.type === 'woken' || asked.type === 'resume_requested',
    });
    if (audit) audited.push({ ...audit, result: 'SUCCESS', resource: runId });
    return { outcome: 'decided', status: decision.state.run.status };
  });
  return { outcomes, decided: [...decided.values()], audited };
}
