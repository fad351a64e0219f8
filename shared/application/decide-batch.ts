import { limits } from '../config/limits.ts';
import type { Topics } from '../config/topics.ts';
import { type DefinitionProblem, parseWorkflowPlan } from '../definition/parse-definition.ts';
import type { WorkflowDefinition } from '../definition/workflow-definition.ts';
import { decide, needsOf } from '../engine/decide.ts';
import type { Decision } from '../engine/decision.ts';
import type { Draws } from '../engine/draft.ts';
import type { EngineEvent } from '../engine/event.ts';
import type { JsonObject } from '../engine/json.ts';
import type { Plan } from '../engine/plan.ts';
import type { Attempt, State } from '../engine/state.ts';
import { attemptQueryFor } from './attempt-query.ts';
import type { AuditRecord } from './audit.ts';
import type { BatchItem, Outcome } from './batch.ts';
import { changesOf, type DecidedRun } from './changes-of.ts';
import { dataQueryFor } from './data-query.ts';
import { messagesOf } from './messages-of.ts';
import type { PlanCache } from './plan-cache.ts';
import type {
  AgentRoute,
  Clock,
  LockedRun,
  OutboxEntry,
  ResultTokens,
  RunStore,
  RunTransaction,
} from './ports.ts';
import { agentsOf } from './route-tasks.ts';

export interface DecideBatchDeps {
  readonly store: RunStore;
  readonly plans: PlanCache;
  readonly topics: Topics;
  readonly tokens: ResultTokens;
  readonly clock: Clock;
  readonly draws: Draws;
  /** Publishes what was committed, bounded in time; what is left behind the timekeeper publishes. Never throws. */
  readonly publishCommitted: (entry: OutboxEntry, routes: ReadonlyMap<string, AgentRoute>) => Promise<void>;
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
        if (committed !== null) await deps.publishCommitted(committed.entry, await committed.routes);
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

  return (items) => (items.length === 0 ? Promise.resolve([]) : decideAll(items));
}

const MAX_CONFLICTS = 5;

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : null;
}

async function decideWithin(deps: DecideBatchDeps, tx: RunTransaction, items: readonly BatchItem[]) {
  const now = deps.clock.now();
  const runIds = [...new Set(items.map(({ runId }) => runId))];
  // Issued together: one round trip where the driver pipelines.
  const [locked, attempts] = await Promise.all([
    tx.lockRuns(runIds),
    tx.loadAttempts(attemptQueryFor(items)),
  ]);
  const runs = new Map(locked.map((run) => [run.run.runId, run]));
  const planned = await plansFor(deps, tx, runs, items);

  const ready = items.flatMap((item) => {
    const run = runs.get(item.runId);
    const plan = planned.get(item.runId)?.plan;
    return run && plan ? [{ ...item, plan, state: initialState(run, attempts.get(item.runId)) }] : [];
  });
  const data = await loadData(tx, ready);

  const decided = new Map<string, DecidedRun>();
  const audited: AuditRecord[] = [];
  const outcomes = items.map(({ runId, event: asked, audit }): Outcome => {
    const run = runs.get(runId);
    if (run === undefined) return { outcome: 'unknown_run' };
    const { plan, versionId, refusal } = planned.get(runId) ?? {};
    const isRefused = refusal !== undefined && asked.type === 'execution_requested';
    const event: EngineEvent = isRefused ? { type: 'plan_refused', message: refusal } : asked;
    // A run ends without a plan, and does nothing else.
    if (plan === undefined && !isRefused && event.type !== 'cancellation_requested') {
      return { outcome: 'refused', code: 'NO_PLAN' };
    }
    const before = decided.get(runId);
    const state = before?.state ?? { ...initialState(run, attempts.get(runId)), ...data.of(runId) };
    let decision: Decision;
    try {
      decision = decide(plan ?? EMPTY_PLAN, state, event, now, deps.draws);
    } catch (error) {
      return { outcome: 'defect', reason: (error as Error).message };
    }
    if (!decision.ok) return { outcome: 'refused', code: decision.code };
    decided.set(runId, {
      locked: run,
      plan: plan ?? EMPTY_PLAN,
      versionId: versionId ?? null,
      loaded: before?.loaded ?? state,
      state: decision.state,
      effects: before ? [...before.effects, ...decision.effects] : decision.effects,
    });
    if (audit) audited.push({ ...audit, result: 'SUCCESS', resource: runId });
    return { outcome: 'decided', status: decision.state.run.status };
  });

  if (decided.size === 0) return { outcomes, committed: null };
  const all = [...decided.values()];
  const { topics, tokens, draws } = deps;
  const entry: OutboxEntry = {
    id: draws.id(),
    messages: all.flatMap(({ locked, effects }) => messagesOf(locked, effects, { topics, tokens, now })),
  };
  // Not awaited: they travel with the commit, in one round trip where the driver pipelines, and it fails if they do.
  const routes = loadRoutes(tx, entry);
  routes.catch(() => {});
  tx.save(changesOf(all, audited), entry).catch(() => {});
  return { outcomes, committed: { entry, routes } };
}

async function loadRoutes(tx: RunTransaction, entry: OutboxEntry): Promise<ReadonlyMap<string, AgentRoute>> {
  const agents = agentsOf([entry]);
  return agents.length === 0 ? new Map() : tx.loadAgentRoutes(agents);
}

interface Planned {
  readonly plan?: Plan;
  readonly versionId?: string;
  /** Why the inline plan cannot be taken. */
  readonly refusal?: string;
}

/** The plan stored with the run decides, never the record's copy; only a run without one takes it from the record. */
async function plansFor(
  { plans }: DecideBatchDeps,
  tx: RunTransaction,
  runs: ReadonlyMap<string, LockedRun>,
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
  const loaded = missing.size === 0 ? null : await tx.loadVersions([...missing]);
  for (const [id, { definition }] of loaded ?? []) known.set(id, plans.add(id, definition));
  const planned = new Map<string, Planned>();
  for (const [runId, { versionId }] of runs) {
    const plan = versionId === null ? undefined : known.get(versionId);
    if (versionId !== null && plan !== undefined) planned.set(runId, { plan, versionId });
  }
  const inline = new Map<string, WorkflowDefinition>();
  for (const { runId, inlinePlan } of items) {
    if (inlinePlan === undefined || !runs.has(runId) || planned.has(runId) || inline.has(runId)) continue;
    const parsed = parseWorkflowPlan(inlinePlan);
    if (parsed.ok) inline.set(runId, parsed.definition);
    else planned.set(runId, { refusal: refusalOf(parsed.problems) });
  }
  if (inline.size === 0) return planned;
  const stored = await tx.storeInlinePlans([...inline.values()] as unknown as JsonObject[]);
  [...inline].forEach(([runId, definition], i) => {
    const versionId = stored[i] as string;
    planned.set(runId, { plan: plans.get(versionId) ?? plans.add(versionId, definition), versionId });
  });
  return planned;
}

function refusalOf(problems: readonly DefinitionProblem[]): string {
  const texts = problems.map(({ path, message }) => `${path || 'workflow_plan'}: ${message}`);
  return `The workflow_plan of the execution request is not valid: ${texts.join('; ')}`
    .slice(0, limits.maxErrorMessageLength)
    .toWellFormed();
}

const EMPTY_PLAN: Plan = {
  startStep: '',
  steps: new Map(),
  settings: { defaultTimeoutMs: 0, longStopMs: 0, pickUpMs: 0, maxPayloadBytes: 0 },
};

function initialState({ run }: LockedRun, attempts: readonly Attempt[] = []): State {
  return {
    run,
    attempts: new Map(attempts.map((attempt) => [attempt.stepExecutionId, attempt])),
    workflowInput: null,
    variables: null,
    outputs: new Map(),
  };
}

async function loadData(
  tx: RunTransaction,
  ready: readonly (BatchItem & { readonly plan: Plan; readonly state: State })[],
) {
  const query = dataQueryFor(
    ready.flatMap(({ runId, plan, state, event }) => {
      try {
        return [{ runId, event, reads: needsOf(plan, state, event) }];
      } catch {
        // The decision will meet the same defect, and tells it of this one item.
        return [];
      }
    }),
  );
  const data = query && (await tx.loadData(query));
  return {
    of: (runId: string) => ({
      workflowInput: data?.workflowInputs.get(runId) ?? null,
      variables: data?.variables.get(runId) ?? null,
      outputs: data?.outputs.get(runId) ?? new Map(),
    }),
  };
}
