import type { Topics } from '../config/topics.ts';
import type { Draws } from '../engine/draft.ts';
import type { EngineEvent } from '../engine/event.ts';
import type { BatchItem, Outcome } from './batch.ts';
import { changesOf } from './changes-of.ts';
import { decideItems } from './decide-items.ts';
import { codeOf } from './error-code.ts';
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
import { roundsOf } from './rounds-of.ts';
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
 * all, in a fixed handful of statements whatever the batch's size; then publishes (design §3).
 * @throws what the store throws when the database is away: nothing is changed then, and the batch may come again.
 */
export function createDecideBatch(deps: DecideBatchDeps): DecideBatch {
  const decideAll = async (items: readonly BatchItem[]): Promise<Outcome[]> => {
    for (let conflicts = 0; ; ) {
      try {
        const { outcomes, committed } = await deps.store.transaction((tx) => decideWithin(deps, tx, items));
        if (committed !== null) {
          const [routes, versions] = await Promise.all([committed.routes, committed.versions]);
          await deps.publishCommitted(withPlans(committed.entry, versions), routes);
        }
        return outcomes;
      } catch (error) {
        if (codeOf(error) === 'TRANSACTION_CONFLICT' && conflicts++ < MAX_CONFLICTS) continue;
        if (codeOf(error) === 'VALUE_REFUSED') return isolate(items, error as Error);
        throw error;
      }
    }
  };

  /** Halves the batch until the item that carries the refused value stands alone; its neighbours go on. */
  const isolate = async (items: readonly BatchItem[], error: Error): Promise<Outcome[]> => {
    if (items.length > 1) {
      const middle = items.length >> 1;
      return [...(await decideAll(items.slice(0, middle))), ...(await decideAll(items.slice(middle)))];
    }
    const [item] = items as [BatchItem];
    if (item.event.type !== 'agent_answered' || item.event.outcome.status === 'failed') {
      return [{ outcome: 'value_refused', reason: error.message }];
    }
    const failure = { code: 'UNSTORABLE', message: error.message, retryable: false };
    const event: EngineEvent = { ...item.event, logs: null, outcome: { status: 'failed', error: failure } };
    return decideAll([{ ...item, event }]);
  };

  return async (items) => {
    const outcomes: Outcome[] = [];
    for (const round of roundsOf(items)) outcomes.push(...(await decideAll(round)));
    return outcomes;
  };
}

const MAX_CONFLICTS = 5;

/** In one transaction. `committed` is what is to be published after it; null where nothing was decided. */
async function decideWithin(deps: DecideBatchDeps, tx: RunTransaction, items: readonly BatchItem[]) {
  const runIds = [...new Set(items.map(({ runId }) => runId))];
  // Issued together: one round trip where the driver pipelines.
  const [locked, attempts] = await Promise.all([tx.lockRuns(runIds), loadAttemptsAbout(tx, items)]);
  // Not before: what another transaction decided while this one waited for its runs comes earlier.
  const now = deps.clock.now();
  const runs = new Map(locked.map((run) => [run.run.runId, run]));
  const planned = await loadPlans(deps.plans, tx, runs, items);
  const others = await loadOtherVersions(deps.plans, tx, runs, items);
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
    { runs, planned, others, states },
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
