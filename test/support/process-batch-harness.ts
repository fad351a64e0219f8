import type { BatchItem, Outcome } from '../../shared/application/batch.ts';
import { pendingRun } from '../../shared/application/pending-run.ts';
import { PlanCache } from '../../shared/application/plan-cache.ts';
import type { AgentRoute } from '../../shared/application/ports/agents.ts';
import type { OutboxEntry } from '../../shared/application/ports/publishing.ts';
import { createProcessBatch } from '../../shared/application/process-batch.ts';
import { WarmRuns } from '../../shared/application/warm-runs.ts';
import { planDefaults } from '../../shared/config/plan-defaults.ts';
import { topicsFor } from '../../shared/config/topics.ts';
import { parseDefinition } from '../../shared/definition/parse-definition.ts';
import type { AgentOutcome } from '../../shared/engine/event.ts';
import type { Json } from '../../shared/engine/json.ts';
import { MemoryStore } from './memory-store.ts';
import type { RunRow } from './memory-tables.ts';

export const T0 = Date.parse('2026-01-15T10:30:00.000Z');
const topics = topicsFor({ prefix: '', executionTopic: 'requests', cancellationTopic: 'cancellations' });
export const requested = { type: 'execution_requested' } as const;
export const cancelled = { type: 'cancellation_requested', by: 'ann', reason: null } as const;

export function definitionOf(input: object) {
  const parsed = parseDefinition(input);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.definition;
}

export const twoSteps = {
  name: 'two',
  start_step: 'a',
  retry: { jitter: 'none', initial_interval_ms: 1_000 },
  steps: {
    a: { agent_name: 'x', next_step: 'b', input_mapping: { i: '$.workflow_input' } },
    b: { agent_name: 'y', input_mapping: { before: '$.a.output_data' } },
  },
};

/** `processBatch` over tables in memory, with the workflow `two` in them. */
export function setUp() {
  const store = new MemoryStore(() => T0);
  store.addVersion('v-1', definitionOf(twoSteps));
  const published: OutboxEntry[] = [];
  const routes: ReadonlyMap<string, AgentRoute>[] = [];
  let ids = 0;
  const plans = new PlanCache(planDefaults);
  const warmRuns = new WarmRuns();
  const processBatch = createProcessBatch({
    store,
    plans,
    warmRuns,
    topics,
    tokens: { resultToken: (id) => `token-of-${id}` },
    clock: { now: () => T0 },
    draws: { id: () => `id-${++ids}`, jitter: () => 0.5 },
    publishCommitted: async (entry, given) => {
      published.push(entry);
      routes.push(given);
    },
  });
  const addRun = (runId: string, given: Partial<RunRow> = {}) =>
    store.runs.set(runId, {
      run: { ...pendingRun(runId), wakeAt: T0 + 60_000 },
      versionId: 'v-1',
      owner: 'ann',
      workflowId: 'wf-two-1',
      inputData: { n: runId },
      variables: null,
      ...given,
    });
  const openAttempt = (runId: string) =>
    store.attemptsOf(runId).find(({ status }) => status === 'PENDING' || status === 'RUNNING')!
      .stepExecutionId;
  const answer = (runId: string, outcome: AgentOutcome): BatchItem => ({
    runId,
    event: {
      type: 'agent_answered',
      stepExecutionId: openAttempt(runId),
      attempt: null,
      logs: null,
      outcome,
    },
  });
  return { store, processBatch, plans, warmRuns, published, routes, addRun, openAttempt, answer };
}

export const completed = (output: Json): AgentOutcome => ({ status: 'completed', output });
export const decided = (status: string): Outcome => ({ outcome: 'decided', status }) as Outcome;
export const refusedWith = (code: string): Outcome => ({ outcome: 'refused', code }) as Outcome;
