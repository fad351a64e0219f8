import type { Topics } from '../config/topics.ts';
import type { Draws } from '../engine/draft.ts';
import { attemptQueryFor } from './attempt-query.ts';
import type { BatchItem, Outcome } from './batch.ts';
import { roundsOf } from './batch.ts';
import { changesOf } from './changes-of.ts';
import { ContendedRuns } from './contended-runs.ts';
import {
  type DecidedBatch,
  decideRuns,
  type ItemOutcome,
  type Lacking,
  type LoadedBatch,
  type PendingItem,
} from './decide-runs.ts';
import { apart, classOf, codeOf, type Fault } from './error-policy.ts';
import { loadOrphans } from './load-orphans.ts';
import { loadOtherVersions, loadPlans, plannedFor } from './load-plans.ts';
import { loadStates } from './load-states.ts';
import { messagesOf } from './messages-of.ts';
import type { PlanCache } from './plan-cache.ts';
import { versionsOf, withPlans } from './plan-messages.ts';
import type { AgentRoute, ResultTokens } from './ports/agents.ts';
import type { Clock, OutboxEntry } from './ports/publishing.ts';
import type { RunReads, RunSaves, RunStore } from './ports/run-store.ts';
import type { PublishCommitted } from './publish-entries.ts';
import { agentsOf } from './route-tasks.ts';
import { standInsFor } from './stand-ins.ts';
import type { WarmRuns } from './warm-runs.ts';

export interface ProcessBatchDeps {
  readonly store: RunStore;
  readonly plans: PlanCache;
  readonly warmRuns: WarmRuns;
  readonly topics: Topics;
  readonly tokens: ResultTokens;
  readonly clock: Clock;
  readonly draws: Draws;
  /** Bounded in time; what is left behind the timekeeper publishes. */
  readonly publishCommitted: PublishCommitted;
}

interface DecidingDeps extends ProcessBatchDeps {
  readonly contended: ContendedRuns;
}

export type ProcessBatch = (items: readonly BatchItem[]) => Promise<Outcome[]>;

/**
 * Decides a batch of events: reads what all need, decides each on the state that the one before left, and saves all by one call,
 * which compares each run with what was read; then publishes (design §3). Runs that went on meanwhile go again. What cannot be decided
 * or saved is found, and its run ended for it, or its attempt (error-policy.ts).
 * @throws what is transient, as the database being away: nothing is changed then, or what is decided again is refused as a repeat
 */
export function createProcessBatch(given: ProcessBatchDeps): ProcessBatch {
  const deps: DecidingDeps = { ...given, contended: new ContendedRuns() };
  const decideAll = (items: readonly PendingItem[]): Promise<Outcome[]> => apart(items, decideOnce, giveUp);

  const decideOnce = async (items: readonly PendingItem[]): Promise<Outcome[]> => {
    const outcomes = await decideTogether(deps, items).catch((error: unknown) => {
      const isCall = items.some(({ audit }) => audit !== undefined);
      // Who calls has no time for more than one try, and may ask again.
      throw isCall && codeOf(error) === 'STATEMENT_TIMEOUT' ? new CallTooLongError(error) : error;
    });
    const lacking = items.flatMap((item, i) => {
      const outcome = outcomes[i] as ItemOutcome;
      return outcome.outcome === 'lacking' ? [withNeeds(item, outcome)] : [];
    });
    const later = lacking.length === 0 ? [] : await decideAll(lacking);
    const settled: Outcome[] = [];
    for (const [i, outcome] of outcomes.entries()) {
      if (outcome.outcome === 'lacking') settled.push(later.shift() as Outcome);
      else if (outcome.outcome === 'defect') settled.push(...(await decideAlone(items[i] as PendingItem)));
      else settled.push(outcome);
    }
    return settled;
  };

  /** What nobody else writes to meanwhile is of one moment: what was not, may have looked like a defect. */
  const decideAlone = async (item: PendingItem): Promise<Outcome[]> => {
    const [outcome] = (await decideTogether(deps, [item], MAX_OVERTAKEN)) as [ItemOutcome];
    if (outcome.outcome === 'defect') return giveUp(item, { class: 'defect', reason: outcome.reason });
    return outcome.outcome === 'lacking' ? decideAll([withNeeds(item, outcome)]) : [outcome];
  };

  /** Of one item, which stands alone. */
  const giveUp = async (item: PendingItem, fault: Fault): Promise<Outcome[]> => {
    const { runId, audit, onlyOfNobody } = item;
    for (const event of standInsFor(item, fault)) {
      try {
        const [outcome] = await decideTogether(deps, [
          { runId, event, ...(audit && { audit }), ...(onlyOfNobody && { onlyOfNobody }) },
        ]);
        if (outcome?.outcome === 'decided') return [{ ...outcome, fault }];
      } catch (error) {
        if (classOf(error) === 'transient') throw error;
      }
    }
    return [{ outcome: fault.class === 'value' ? 'value_refused' : 'defect', reason: fault.reason }];
  };

  return async (items) => {
    const outcomes: Outcome[] = [];
    for (const round of roundsOf(items)) outcomes.push(...(await decideAll(round)));
    return outcomes;
  };
}

/** What somebody called for was not decided before a statement's time was over. */
class CallTooLongError extends Error {
  readonly code = 'OUT_OF_TIME';
  constructor(cause: unknown) {
    super('The database took too long for this; try again', { cause });
  }
}

/** What its decision was found to read beside: that is loaded too, and it comes first of its run then. */
function withNeeds(item: PendingItem, { needs }: Lacking): PendingItem {
  return needs === null ? item : { ...item, lacking: [...(item.lacking ?? []), needs] };
}

const MAX_CONFLICTS = 5;
/** Whoever is overtaken more often keeps others from its run while it decides: a wide fan-out would have it read for nothing. */
const MAX_OVERTAKEN = 2;
const MOST_OVERTAKEN = 30;

/** @throws whatever keeps the decisions from being saved, conflicts that pass apart */
async function decideTogether(
  deps: DecidingDeps,
  items: readonly PendingItem[],
  overtaken = 0,
): Promise<readonly ItemOutcome[]> {
  if (overtaken === 0) {
    const contended = deps.contended.take(items);
    if (contended.size > 0) return decideApart(deps, items, contended, MAX_OVERTAKEN);
  }
  for (let conflicts = 0; ; ) {
    try {
      const { outcomes, decided, committed } =
        overtaken < MAX_OVERTAKEN
          ? await decideOn(deps, deps.store, items)
          : await deps.store.underLock([...new Set(items.map(({ runId }) => runId))], (store) =>
              decideOn(deps, store, items),
            );
      // Not before it is committed: a state that never was would be taken for the one of its sequence.
      for (const run of decided) deps.warmRuns.keep(run);
      // Those are read next, also where one before them was decided.
      for (const [i, { outcome }] of outcomes.entries())
        if (outcome === 'lacking') deps.warmRuns.forget((items[i] as PendingItem).runId);
      if (committed !== null) await publish(deps, committed);
      return outcomes;
    } catch (error) {
      // What is never as it was read, though nobody else may write it, comes again by its record.
      const movedOn = overtaken < MOST_OVERTAKEN ? movedOnOf(error) : null;
      // What was kept may have been old for long.
      if (movedOn !== null) deps.contended.add([...movedOn].filter((runId) => !deps.warmRuns.has(runId)));
      for (const { runId } of items) deps.warmRuns.forget(runId);
      if (movedOn !== null) return decideApart(deps, items, movedOn, overtaken + 1);
      if (codeOf(error) !== 'TRANSACTION_CONFLICT' || conflicts++ >= MAX_CONFLICTS) throw error;
    }
  }
}

function movedOnOf(error: unknown): ReadonlySet<string> | null {
  return codeOf(error) === 'RUNS_MOVED_ON' ? new Set((error as { runIds: readonly string[] }).runIds) : null;
}

/** Those of some runs by themselves, as those that went on meanwhile: they are decided on what these are now. */
async function decideApart(
  deps: DecidingDeps,
  items: readonly PendingItem[],
  runIds: ReadonlySet<string>,
  overtaken: number,
): Promise<readonly ItemOutcome[]> {
  const behind = items.filter(({ runId }) => runIds.has(runId));
  const others = items.filter(({ runId }) => !runIds.has(runId));
  const [ofOthers, ofBehind] = [
    others.length === 0 ? [] : [...(await decideTogether(deps, others))],
    [...(await decideTogether(deps, behind, overtaken))],
  ];
  return items.map(({ runId }) => (runIds.has(runId) ? ofBehind : ofOthers).shift() as ItemOutcome);
}

interface Committed {
  readonly entry: OutboxEntry;
  readonly routes: ReadonlyMap<string, AgentRoute>;
}

async function publish({ store, publishCommitted }: ProcessBatchDeps, committed: Committed): Promise<void> {
  const versionIds = versionsOf(committed.entry.messages);
  let entry: OutboxEntry;
  try {
    // Of the runs that it starts.
    const versions = versionIds.length === 0 ? new Map() : await store.loadVersions(versionIds);
    entry = withPlans(committed.entry, versions);
  } catch {
    // It is decided, and must not be decided again: the outbox has it.
    return;
  }
  await publishCommitted(entry, committed.routes);
}

/** `committed` is what is to be published; null where nothing was decided. */
async function decideOn(
  deps: ProcessBatchDeps,
  store: RunReads & RunSaves,
  items: readonly PendingItem[],
): Promise<Pick<DecidedBatch, 'outcomes' | 'decided'> & { committed: Committed | null }> {
  const loaded = await loadBatch(deps, store, items);
  // Not before: what was decided until the runs were read comes earlier.
  const now = deps.clock.now();
  const { outcomes, decided, audited } = decideRuns(items, loaded, now, deps.draws);
  if (decided.length === 0) return { outcomes, decided, committed: null };
  const { topics, tokens, draws } = deps;
  const entry: OutboxEntry = {
    id: draws.id(),
    messages: decided.flatMap(({ stored, effects }) => messagesOf(stored, effects, { topics, tokens, now })),
  };
  const routes = await store.save(changesOf(decided, audited, now), entry, agentsOf(entry.messages));
  return { outcomes, decided, committed: { entry, routes } };
}

/** Where each run's state was saved from here last, nothing is read: the save compares it with what is stored. */
async function loadBatch(
  { plans, warmRuns }: ProcessBatchDeps,
  store: RunReads,
  items: readonly PendingItem[],
): Promise<LoadedBatch> {
  const warm = warmRuns.of(items);
  const cold = warm.size === 0 ? items : items.filter(({ runId }) => !warm.has(runId));
  const woken = cold.flatMap(({ runId, event }) =>
    event.type === 'woken' && event.stepExecutionId === null ? [runId] : [],
  );
  const runIds = [...new Set(cold.map(({ runId }) => runId))];
  const read =
    runIds.length === 0 ? null : await store.loadRuns({ runIds, woken, attempts: attemptQueryFor(cold) });
  const runs = new Map(read?.runs.map((run) => [run.run.runId, run]));
  const planned = await loadPlans(plans, store, runs, cold);
  const others = await loadOtherVersions(plans, store, runs, cold);
  const orphans = await loadOrphans(store, runs, cold);
  const states = await loadStates(
    store,
    cold.flatMap((item) => {
      const run = runs.get(item.runId);
      return run ? [{ ...item, loaded: run, plan: plannedFor(item, planned, others).plan }] : [];
    }),
    read?.attempts ?? new Map(),
  );
  for (const [runId, { stored, state, plan }] of warm) {
    runs.set(runId, stored);
    states.set(runId, state);
    planned.set(runId, { plan, versionId: stored.versionId });
  }
  return { runs, planned, others, states, warm: new Set(warm.keys()), orphans };
}
