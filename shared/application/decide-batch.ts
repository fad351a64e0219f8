import type { Topics } from '../config/topics.ts';
import type { Draws } from '../engine/draft.ts';
import type { BatchItem, Outcome } from './batch.ts';
import { roundsOf } from './batch.ts';
import { changesOf } from './changes-of.ts';
import { decideItems, type ItemOutcome, type Lacking, type PendingItem } from './decide-items.ts';
import { apart, classOf, codeOf, type Fault } from './error-policy.ts';
import { standInsFor } from './give-up.ts';
import { loadOrphans } from './load-orphans.ts';
import { loadOtherVersions, loadPlans, plannedFor } from './load-plans.ts';
import { loadAttemptsAbout, loadStates } from './load-states.ts';
import { messagesOf } from './messages-of.ts';
import type { PlanCache } from './plan-cache.ts';
import { versionsOf, withPlans } from './plan-messages.ts';
import type {
  AgentRoute,
  Clock,
  LoadedVersion,
  OutboxEntry,
  ResultTokens,
  RunStore,
  RunTransaction,
} from './ports.ts';
import type { PublishCommitted } from './publish-entries.ts';
import { agentsOf } from './route-tasks.ts';

export interface DecideBatchDeps {
  readonly store: RunStore;
  readonly plans: PlanCache;
  readonly topics: Topics;
  readonly tokens: ResultTokens;
  readonly clock: Clock;
  readonly draws: Draws;
  /** Bounded in time; what is left behind the timekeeper publishes. */
  readonly publishCommitted: PublishCommitted;
}

export type DecideBatch = (items: readonly BatchItem[]) => Promise<Outcome[]>;

/**
 * Decides a batch of events in one transaction: load what all need, decide each on the state that the one before left, save
 * all, in a fixed handful of statements whatever the batch's size; then publishes (design §3). What cannot be decided or saved is
 * found, and its run ended for it, or its attempt (error-policy.ts).
 * @throws what is transient, as the database being away: nothing is changed then, or what is decided again is refused as a repeat
 */
export function createDecideBatch(deps: DecideBatchDeps): DecideBatch {
  const decideAll = (items: readonly PendingItem[]): Promise<Outcome[]> => apart(items, decideOnce, giveUp);

  const decideOnce = async (items: readonly PendingItem[]): Promise<Outcome[]> => {
    const outcomes = await commitTogether(deps, items).catch((error: unknown) => {
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
      else if (outcome.outcome === 'defect')
        settled.push(...(await giveUp(items[i] as PendingItem, { class: 'defect', reason: outcome.reason })));
      else settled.push(outcome);
    }
    return settled;
  };

  /** Of one item, which stands alone. */
  const giveUp = async (item: PendingItem, fault: Fault): Promise<Outcome[]> => {
    const { runId, audit, onlyOfNobody } = item;
    for (const event of standInsFor(item, fault)) {
      try {
        const [outcome] = await commitTogether(deps, [
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

/** What its decision was found to read beside: that is loaded too, in a transaction in which it comes first of its run. */
function withNeeds(item: PendingItem, { needs }: Lacking): PendingItem {
  return needs === null ? item : { ...item, lacking: [...(item.lacking ?? []), needs] };
}

const MAX_CONFLICTS = 5;

/** @throws whatever keeps the transaction from being committed, conflicts that pass apart */
async function commitTogether(
  deps: DecideBatchDeps,
  items: readonly PendingItem[],
): Promise<readonly ItemOutcome[]> {
  for (let conflicts = 0; ; ) {
    try {
      const { outcomes, committed } = await deps.store.transaction((tx) => decideWithin(deps, tx, items));
      if (committed !== null) await publish(deps, committed);
      return outcomes;
    } catch (error) {
      if (codeOf(error) !== 'TRANSACTION_CONFLICT' || conflicts++ >= MAX_CONFLICTS) throw error;
    }
  }
}

async function publish({ publishCommitted }: DecideBatchDeps, committed: Committed): Promise<void> {
  const [routes, versions] = await Promise.all([committed.routes, committed.versions]);
  let entry: OutboxEntry;
  try {
    entry = withPlans(committed.entry, versions);
  } catch {
    // It is decided, and must not be decided again: the outbox has it.
    return;
  }
  await publishCommitted(entry, routes);
}

interface Committed {
  readonly entry: OutboxEntry;
  readonly routes: Promise<ReadonlyMap<string, AgentRoute>>;
  readonly versions: Promise<ReadonlyMap<string, LoadedVersion>>;
}

/** In one transaction. `committed` is what is to be published after it; null where nothing was decided. */
async function decideWithin(
  deps: DecideBatchDeps,
  tx: RunTransaction,
  items: readonly PendingItem[],
): Promise<{ outcomes: readonly ItemOutcome[]; committed: Committed | null }> {
  const runIds = [...new Set(items.map(({ runId }) => runId))];
  // Issued together: one round trip where the driver pipelines.
  const woken = items.flatMap(({ runId, event }) =>
    event.type === 'woken' && event.stepExecutionId === null ? [runId] : [],
  );
  const [locked, attempts] = await Promise.all([tx.lockRuns(runIds, woken), loadAttemptsAbout(tx, items)]);
  // Not before: what another transaction decided while this one waited for its runs comes earlier.
  const now = deps.clock.now();
  const runs = new Map(locked.map((run) => [run.run.runId, run]));
  const planned = await loadPlans(deps.plans, tx, runs, items);
  const others = await loadOtherVersions(deps.plans, tx, runs, items);
  const orphans = await loadOrphans(tx, runs, items);
  const states = await loadStates(
    tx,
    items.flatMap((item) => {
      const run = runs.get(item.runId);
      return run ? [{ ...item, locked: run, plan: plannedFor(item, planned, others).plan }] : [];
    }),
    attempts,
  );

  const { outcomes, decided, audited } = decideItems(
    items,
    { runs, planned, others, states, orphans },
    now,
    deps.draws,
  );
  if (decided.length === 0) return { outcomes, committed: null };
  const { topics, tokens, draws } = deps;
  const entry: OutboxEntry = {
    id: draws.id(),
    messages: decided.flatMap(({ locked, effects }) => messagesOf(locked, effects, { topics, tokens, now })),
  };
  // Not awaited: they travel with the commit, in one round trip where the driver pipelines, and it fails if they do.
  const routes = loadRoutes(tx, entry);
  const versions = loadPublishedVersions(tx, entry);
  routes.catch(() => {});
  versions.catch(() => {});
  tx.save(changesOf(decided, audited, now), entry).catch(() => {});
  return { outcomes, committed: { entry, routes, versions } };
}

async function loadRoutes(tx: RunTransaction, entry: OutboxEntry): Promise<ReadonlyMap<string, AgentRoute>> {
  const agents = agentsOf(entry.messages);
  return agents.length === 0 ? new Map() : tx.loadAgentRoutes(agents);
}

/** Of the runs that it starts. */
async function loadPublishedVersions(
  tx: RunTransaction,
  entry: OutboxEntry,
): Promise<ReadonlyMap<string, LoadedVersion>> {
  const versionIds = versionsOf(entry.messages);
  return versionIds.length === 0 ? new Map() : tx.loadVersions(versionIds);
}
