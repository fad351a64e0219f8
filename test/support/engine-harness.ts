import { randomUUID } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import type { BatchItem, Outcome } from '../../shared/application/batch.ts';
import { PlanCache } from '../../shared/application/plan-cache.ts';
import type { AgentRegistry } from '../../shared/application/ports/agents.ts';
import type { Delivery } from '../../shared/application/ports/publishing.ts';
import { createProcessBatch, type ProcessBatch } from '../../shared/application/process-batch.ts';
import { createPublishCommitted, createPublishEntries } from '../../shared/application/publish-entries.ts';
import { createRouteTasks, type RouteTasks } from '../../shared/application/route-tasks.ts';
import { createStartRun, type StartRun } from '../../shared/application/start-run.ts';
import { WarmRuns } from '../../shared/application/warm-runs.ts';
import { planDefaults } from '../../shared/config/plan-defaults.ts';
import { topicsFor } from '../../shared/config/topics.ts';
import { parseDefinition } from '../../shared/definition/parse-definition.ts';
import type { AgentOutcome, EngineEvent } from '../../shared/engine/event.ts';
import type { Json, JsonObject } from '../../shared/engine/json.ts';
import { openDatabase } from '../../shared/persistence/database.ts';
import { createNewRuns } from '../../shared/persistence/new-runs.ts';
import { createOutbox, publishedEntries } from '../../shared/persistence/outbox.ts';
import type { PublishedEntries } from '../../shared/persistence/published-entries.ts';
import { createRunStore } from '../../shared/persistence/run-store.ts';
import { createWorkflows } from '../../shared/persistence/workflows.ts';
import { auditEntry } from './audit-entry.ts';
import { createFreshDatabase } from './fresh-database.ts';
import { type RecordingDatabase, recordStatements } from './recording-database.ts';

export interface Published {
  readonly topic: string;
  readonly key: string;
  readonly value: JsonObject;
}

/** One execution environment: the real engine on a real database, with a broker in the hands of the test. */
export interface Environment {
  readonly database: RecordingDatabase;
  readonly processBatch: ProcessBatch;
  readonly startRun: StartRun;
  readonly routeTasks: RouteTasks;
  readonly warmRuns: WarmRuns;
  /** What is published and not yet removed: the next save does it. */
  readonly published: PublishedEntries;
  /** One event of one run. */
  decide(runId: string, event: EngineEvent, inlinePlan?: JsonObject): Promise<Outcome>;
  /** How far this environment's clock is from the real one. */
  clockOffsetMs: number;
}

export interface EngineHarness extends Environment {
  readonly databaseUrl: string;
  readonly broker: {
    isAway: boolean;
    readonly published: Published[];
    /** What becomes of a message; a test may say otherwise. */
    deliver: (message: Published) => Delivery;
  };
  /** Another environment on the same database and broker. */
  environment(options?: { registry?: AgentRegistry; databaseUrl?: string }): Environment;
  registerWorkflow(definition: object, owner?: string): Promise<{ workflowId: string; versionId: string }>;
  /** @returns the run's id. */
  start(workflowId: string, given?: { input?: Json; variables?: JsonObject }): Promise<string>;
  /** The run's open attempt. */
  openAttempt(runId: string): Promise<string>;
  /** The open attempt's agent answers. */
  answer(runId: string, outcome: AgentOutcome): Promise<Outcome>;
  runRow(runId: string): Promise<Record<string, unknown>>;
  /** Oldest first. */
  attemptRows(runId: string): Promise<Record<string, unknown>[]>;
  /** The sequence numbers that were published of a run, in their order on the topic. */
  sequencesOf(runId: string): number[];
  close(): Promise<void>;
}

export const topics = topicsFor({
  prefix: '',
  executionTopic: 'workflow.execution.requests',
  cancellationTopic: 'workflow.cancellation.requests',
});

export const OWNER = 'ann';

/** A step after the other, each with what the one before brought. */
export function sequence(stepIds: readonly string[], given: object = {}) {
  const steps = stepIds.map((id, i) => [
    id,
    {
      agent_name: `${id}-agent`,
      next_step: stepIds[i + 1] ?? null,
      input_mapping: {
        given: '$.workflow_input',
        before: i === 0 ? null : `$['${stepIds[i - 1]}'].output_data`,
      },
    },
  ]);
  return { name: `w-${randomUUID()}`, start_step: stepIds[0], steps: Object.fromEntries(steps), ...given };
}

export async function openEngineHarness(sharedDatabaseUrl: string): Promise<EngineHarness> {
  const fresh = await createFreshDatabase(sharedDatabaseUrl);
  const environments: Environment[] = [];
  const broker: EngineHarness['broker'] = {
    isAway: false,
    published: [],
    deliver: () =>
      broker.isAway
        ? { status: 'unsent', reason: 'Kafka did not answer within 1000 ms' }
        : { status: 'acknowledged' },
  };

  const environment: EngineHarness['environment'] = ({ registry, databaseUrl = fresh.url } = {}) => {
    const database = recordStatements(openDatabase({ url: databaseUrl }));
    const published = publishedEntries(database);
    const publishing = {
      publisher: {
        send: async (messages: readonly Published[]) => {
          const deliveries = messages.map((message) => broker.deliver(message));
          broker.published.push(...messages.filter((_, i) => deliveries[i]!.status === 'acknowledged'));
          return { deliveries, late: null };
        },
      },
      outbox: createOutbox(database, published),
    };
    const publishEntries = createPublishEntries(publishing);
    const self = { clockOffsetMs: 0 };
    const clock = { now: () => Date.now() + self.clockOffsetMs };
    const warmRuns = new WarmRuns();
    const routeTasks = createRouteTasks({ registry: registry ?? null, topics });
    const processBatch = createProcessBatch({
      store: createRunStore(database, published),
      plans: new PlanCache(planDefaults),
      warmRuns,
      topics,
      tokens: { resultToken: (id) => `token-of-${id}` },
      clock,
      draws: { id: () => uuidv7(), jitter: () => 0.5 },
      publishCommitted: createPublishCommitted({ ...publishing, routeTasks }),
    });
    const startRun = createStartRun({
      runs: createNewRuns(database, published),
      topics,
      clock,
      nextId: () => uuidv7(),
      publishEntries,
      planDefaults,
    });
    const made: Environment = Object.assign(self, {
      database,
      processBatch,
      startRun,
      routeTasks,
      warmRuns,
      published,
      async decide(runId: string, event: EngineEvent, inlinePlan?: JsonObject) {
        const item: BatchItem = { runId, event, ...(inlinePlan && { inlinePlan }) };
        const [outcome] = (await processBatch([item])) as [Outcome];
        return outcome;
      },
    });
    environments.push(made);
    return made;
  };

  const first = environment();
  const { database } = first;
  const workflows = createWorkflows(database);
  const viewer = { userId: OWNER, isAdmin: true, communities: [] };

  const openAttempt = async (runId: string) => {
    const row = await database.one<{ id: string }>(
      `select step_execution_id as id from step_executions where run_id = $1 and status in ('PENDING', 'RUNNING')`,
      [runId],
    );
    return row.id;
  };

  return Object.assign(first, {
    databaseUrl: fresh.url,
    broker,
    environment,
    async registerWorkflow(input: object, owner: string = OWNER) {
      const parsed = parseDefinition(input);
      if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
      const workflow = await workflows.addVersionByName(owner, parsed.definition, owner, auditEntry);
      const executable = await workflows.maybeFindExecutable(viewer, workflow.id);
      return { workflowId: workflow.id, versionId: executable!.workflow.versionId };
    },
    async start(workflowId: string, given: { input?: Json; variables?: JsonObject } = {}) {
      const { workflow } = (await workflows.maybeFindExecutable(viewer, workflowId))!;
      const { runId } = await first.startRun({
        owner: workflow.owner,
        triggeredBy: OWNER,
        workflow,
        inputData: given.input,
        variables: given.variables,
        communityId: null,
        metadata: null,
      });
      return runId;
    },
    openAttempt,
    async answer(runId: string, outcome: AgentOutcome) {
      const stepExecutionId = await openAttempt(runId);
      return first.decide(runId, {
        type: 'agent_answered',
        stepExecutionId,
        attempt: null,
        logs: null,
        outcome,
      });
    },
    runRow: (runId: string) =>
      database.one<Record<string, unknown>>('select * from workflow_runs where run_id = $1', [runId]),
    attemptRows: (runId: string) =>
      database.many<Record<string, unknown>>(
        'select * from step_executions where run_id = $1 order by created_at, id',
        [runId],
      ),
    sequencesOf: (runId: string) =>
      broker.published.flatMap(({ key, value }) =>
        key === runId && value.message_type === 'monitoring_update'
          ? (value.transitions as { sequence: number }[]).map(({ sequence }) => sequence)
          : [],
      ),
    async close() {
      await Promise.all(environments.map((each) => each.database.close()));
      await fresh.drop();
    },
  });
}
