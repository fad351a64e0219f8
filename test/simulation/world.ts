import { createStepExecutor } from '../../functions/step-executor/step-executor.ts';
import { createDecideBatch, type DecideBatch } from '../../shared/application/decide-batch.ts';
import { PlanCache } from '../../shared/application/plan-cache.ts';
import { agentKey, type OutboxEntry } from '../../shared/application/ports.ts';
import { createPublishEntries, withPlans } from '../../shared/application/publish-entries.ts';
import { createRouteTasks } from '../../shared/application/route-tasks.ts';
import { createStartRun } from '../../shared/application/start-run.ts';
import { planDefaults } from '../../shared/config/plan-defaults.ts';
import { topicsFor } from '../../shared/config/topics.ts';
import { parseDefinition } from '../../shared/definition/parse-definition.ts';
import type { WorkflowDefinition } from '../../shared/definition/workflow-definition.ts';
import type { AgentFailure, AgentOutcome } from '../../shared/engine/event.ts';
import type { JsonObject } from '../../shared/engine/json.ts';
import { isOpenAttempt, isOpenRun } from '../../shared/engine/state.ts';
import type { MskBatchResponse, MskEvent } from '../../shared/kafka/msk-event.ts';
import type { AgentTask } from '../../shared/messages/messages.ts';
import { MemoryStore, type StorePoint } from '../support/memory-store.ts';
import { PENDING_RUN } from '../support/memory-tables.ts';
import type { Random } from '../support/random.ts';
import { BrokerModel, type Message } from './broker-model.ts';
import {
  answerTo,
  drawWorkflow,
  type FaultFreeRun,
  faultFree,
  type WorkflowModel,
} from './workflow-model.ts';

export const topics = topicsFor({
  prefix: '',
  executionTopic: 'requests',
  cancellationTopic: 'cancellations',
});
const EXECUTOR_TOPICS = [
  topics.executionRequests,
  topics.cancellationRequests,
  topics.stepRequests,
  topics.results,
];
/** The agent's own: a task that went anywhere else would never be carried out. */
export const AGENT_TOPIC = 'agent.simulated';
const BRIDGE_TOPICS = [AGENT_TOPIC];
const routeTasks = createRouteTasks({ registry: null, topics });

const LEASE_MS = 60_000;
const LEFT_BEHIND_MS = 4_000;
const ENVIRONMENTS = 3;

/** Where an invocation may die; `offsets` is after its answer, before the mapping has committed it. */
const CRASH_POINTS = [
  'begin',
  'lockRuns',
  'save',
  'commit',
  'publish',
  'half-published',
  'remove',
  'published',
  'offsets',
] as const;
type CrashPoint = (typeof CRASH_POINTS)[number];

class Crash extends Error {}

export interface SimulatedRun {
  readonly runId: string;
  readonly workflow: WorkflowModel;
  readonly faultFree: FaultFreeRun;
  /** The agent of its broken step works from now on. */
  isHealed: boolean;
  /** What a user last asked for, and was granted or may yet be. */
  lastCommand: 'cancel' | 'cancel by record' | 'retry' | null;
}

interface Environment {
  readonly decideBatch: DecideBatch;
  readonly handle: (event: MskEvent) => Promise<MskBatchResponse>;
}

/**
 * The real engine, batches, starts and step-executor among models of everything else: database, broker, agents and their bridge,
 * timekeeper, users, clocks. Each method is one thing that happens; what is drawn, comes from one seed.
 */
export class World {
  readonly store: MemoryStore;
  readonly broker: BrokerModel;
  readonly runs = new Map<string, SimulatedRun>();
  readonly deadLetters: Message[] = [];
  readonly trace: string[] = [];
  /** No more faults: agents answer at once, invocations live. */
  isCalm = false;
  now = Date.parse('2026-01-15T10:30:00.000Z');
  readonly #random: Random;
  #environments: Environment[] = [];
  #later: { at: number; deliver: () => Promise<void> }[] = [];
  #crashAt: CrashPoint | null = null;
  #ids = 0;

  constructor(random: Random) {
    this.#random = random;
    this.broker = new BrokerModel(random);
    this.store = new MemoryStore(() => this.now);
    this.store.onPoint = (point: StorePoint) => this.#die(point);
    this.store.routes.set(agentKey({ owner: null, name: 'agent' }), { kind: 'kafka', address: AGENT_TOPIC });
    this.#environments = Array.from({ length: ENVIRONMENTS }, () => this.#coldStart());
  }

  calmDown(): void {
    this.isCalm = true;
    this.broker.isCalm = true;
    this.broker.isAway = false;
  }

  // Users

  async startRun(): Promise<void> {
    const workflow = drawWorkflow(this.#random, `w${this.runs.size}`);
    const n = this.#random.int(1_000);
    const versionId = `version-${this.runs.size}`;
    const definition = definitionOf(workflow.definition);
    this.store.addVersion(versionId, definition);
    const startRun = createStartRun({
      runs: this.store,
      topics,
      clock: this.#clock(),
      nextId: () => this.#id(),
      publishEntries: this.#publishEntries(),
      planDefaults,
    });
    const { runId } = await startRun({
      owner: 'ann',
      triggeredBy: 'ann',
      workflow: { id: 'w', name: definition.name, version: 1, versionId, definition },
      inputData: { n },
      variables: undefined,
      communityId: null,
      metadata: null,
    });
    this.#add(runId, workflow, n);
  }

  /** Another producer's: a row without a plan, and its execution request with one. */
  async startForeignRun(): Promise<void> {
    if (this.broker.isAway) return;
    const workflow = drawWorkflow(this.#random, `w${this.runs.size}`);
    const n = this.#random.int(1_000);
    const runId = `run-${this.#id()}`;
    this.store.runs.set(runId, {
      run: { ...PENDING_RUN, runId, wakeAt: this.now + LEASE_MS },
      versionId: null,
      owner: null,
      workflowId: 'wf-theirs-1',
      inputData: { n },
      variables: null,
    });
    this.#add(runId, workflow, n);
    const value = {
      message_type: 'execution_request',
      run_id: runId,
      workflow_plan: { workflow_id: 'wf-theirs-1', version: '1', ...workflow.definition },
      timestamp: this.#timestamp(),
    };
    const request = { topic: topics.executionRequests, key: runId, value: value as unknown as JsonObject };
    // Theirs to publish until it is published.
    const publish = async () => {
      try {
        this.broker.publish([request]);
      } catch {
        this.#later.push({ at: this.now + 1_000, deliver: publish });
      }
    };
    await publish();
  }

  /** By the API: decided in its own transaction. */
  async cancel(run: SimulatedRun): Promise<void> {
    const [outcome] = await this.#living(({ decideBatch }) =>
      decideBatch([{ runId: run.runId, event: { type: 'cancellation_requested', by: 'ann', reason: null } }]),
    );
    if (outcome?.outcome === 'decided' && run.lastCommand !== 'cancel by record') run.lastCommand = 'cancel';
    this.#say(`cancelled ${run.runId}: ${JSON.stringify(outcome)}`);
  }

  /** By another producer's record. */
  async cancelByRecord(run: SimulatedRun): Promise<void> {
    const value = {
      message_type: 'cancellation_request',
      run_id: run.runId,
      cancelled_by: 'them',
      reason: null,
      timestamp: this.#timestamp(),
    };
    try {
      // Their clock is not ours: whether it was asked for before a retry cannot always be told.
      run.lastCommand = 'cancel by record';
      this.broker.publish([{ topic: topics.cancellationRequests, key: run.runId, value }]);
    } catch {
      // They may ask again.
    }
  }

  async retry(run: SimulatedRun): Promise<void> {
    run.isHealed = true;
    const [outcome] = await this.#living(({ decideBatch }) =>
      decideBatch([{ runId: run.runId, event: { type: 'retry_requested' } }]),
    );
    if (outcome?.outcome === 'decided' && run.lastCommand !== 'cancel by record') run.lastCommand = 'retry';
    this.#say(`retried ${run.runId}: ${JSON.stringify(outcome)}`);
  }

  // Time

  passTime(ms: number): void {
    this.now += ms;
    this.#say(`time passes: ${ms} ms`);
  }

  /** The next moment at which something happens by itself, or null. */
  nextMoment(): number | null {
    const times = this.#later.map(({ at }) => at);
    for (const { run } of this.store.runs.values())
      if (isOpenRun(run) && run.wakeAt !== null) times.push(run.wakeAt);
    for (const { attempt } of this.store.attempts.values())
      if (isOpenAttempt(attempt) && attempt.wakeAt !== null) times.push(attempt.wakeAt);
    for (const { createdAt } of this.store.outbox.values()) times.push(createdAt + LEFT_BEHIND_MS + 1);
    return times.length === 0 ? null : Math.min(...times);
  }

  async deliverLate(): Promise<boolean> {
    const due = this.#later.filter(({ at }) => at <= this.now);
    this.#later = this.#later.filter(({ at }) => at > this.now);
    for (const { deliver } of due) await deliver();
    return due.length > 0;
  }

  // Functions

  /** One invocation of the step-executor: some records of one partition. */
  async invokeExecutor(): Promise<boolean> {
    const waiting = this.broker.waiting(EXECUTOR_TOPICS);
    if (waiting.length === 0) return false;
    const partition = this.#random.pick(waiting);
    const messages = this.broker.read(partition, 1 + this.#random.int(5));
    const index = this.#random.int(ENVIRONMENTS);
    const environment = this.#environments[index] as Environment;
    this.#crashAt = !this.isCalm && this.#random.chance(0.2) ? this.#random.pick(CRASH_POINTS) : null;
    const what = messages.map(({ key, value }) => `${value.message_type} ${key}`).join(', ');
    this.#say(`executor ${index}${this.#crashAt === null ? '' : `, dies at ${this.#crashAt}`}: ${what}`);
    try {
      await environment.handle(this.broker.eventOf(partition, messages));
      this.#die('offsets');
      this.broker.commit(partition, messages.length);
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      this.#environments[index] = this.#coldStart();
    } finally {
      this.#crashAt = null;
    }
    return true;
  }

  /** One invocation of the bridge: a task or two. */
  async invokeBridge(): Promise<boolean> {
    const waiting = this.broker.waiting(BRIDGE_TOPICS);
    if (waiting.length === 0) return false;
    const partition = this.#random.pick(waiting);
    const messages = this.broker.read(partition, 1 + this.#random.int(2));
    try {
      for (const { value } of messages) await this.#carryOut(value as unknown as AgentTask);
    } catch (error) {
      this.#say(`bridge: ${(error as Error).message}`);
      return true;
    }
    if (!this.#chance(0.05)) this.broker.commit(partition, messages.length);
    return true;
  }

  /** @returns whether there was anything to do. */
  async invokeTimekeeper(): Promise<boolean> {
    const fired = this.#fireDueTimes();
    return (await this.#publishLeftBehind()) || fired;
  }

  rebalance(): void {
    this.broker.rewind([...EXECUTOR_TOPICS, ...BRIDGE_TOPICS]);
  }

  #fireDueTimes(): boolean {
    const { store, now } = this;
    const dueRuns = [...store.runs.values()].filter(({ run }) => isOpenRun(run) && isDue(run.wakeAt, now));
    const dueAttempts = [...store.attempts.values()].filter(
      ({ attempt }) => isOpenAttempt(attempt) && isDue(attempt.wakeAt, now),
    );
    const wake = (runId: string, stepExecutionId: string | null): Message => {
      const timestamp = new Date(now).toISOString();
      const value = { message_type: 'wake', run_id: runId, step_execution_id: stepExecutionId, timestamp };
      return { topic: topics.stepRequests, key: runId, value };
    };
    if (dueRuns.length + dueAttempts.length === 0) return false;
    try {
      this.broker.publish([
        ...dueRuns.map(({ run }) => wake(run.runId, null)),
        ...dueAttempts.map(({ runId, attempt }) => wake(runId, attempt.stepExecutionId)),
      ]);
    } catch {
      return true;
    }
    // Published and not committed: they fire again.
    if (this.#chance(0.05)) return true;
    const wakeAt = now + LEASE_MS;
    for (const row of dueRuns) store.runs.set(row.run.runId, { ...row, run: { ...row.run, wakeAt } });
    for (const row of dueAttempts)
      store.attempts.set(row.attempt.stepExecutionId, { ...row, attempt: { ...row.attempt, wakeAt } });
    return true;
  }

  async #publishLeftBehind(): Promise<boolean> {
    const left = [...this.store.outbox.values()].filter(
      ({ createdAt }) => createdAt < this.now - LEFT_BEHIND_MS,
    );
    if (left.length === 0) return false;
    const entries = await routeTasks(
      left.map(({ entry }) => entry),
      this.store.routes,
    );
    try {
      this.broker.publish(entries.flatMap((entry) => withPlans(entry, this.store.versions).messages));
    } catch {
      return true;
    }
    if (!this.#chance(0.05)) this.store.removeOutbox(left.map(({ entry }) => entry.id));
    return true;
  }

  /** What the bridge and the agent behind it do with one task. */
  async #carryOut(task: AgentTask): Promise<void> {
    const { run_id: runId, step_execution_id: stepExecutionId, attempt } = task;
    const row = this.store.attempts.get(stepExecutionId);
    if (row?.attempt.status !== 'RUNNING' || row.attempt.acceptedAt !== null) return;
    const outcome = this.#agentSays(this.runs.get(runId) as SimulatedRun, task);
    const publish = async () => {
      const answer =
        outcome.status === 'completed' ? { output_data: outcome.output } : errorOf(outcome.error);
      const value = {
        message_type: 'agent_result',
        run_id: runId,
        step_execution_id: stepExecutionId,
        attempt,
        status: outcome.status,
        ...answer,
        result_token: task.result_token,
      };
      this.broker.publish([{ topic: topics.results, key: runId, value: value as unknown as JsonObject }]);
    };
    // The task is lost with an invocation that took it, or the answer on its way.
    if (this.#chance(0.03)) return this.#say(`lost: the task of ${task.step_id} ${stepExecutionId}`);
    if (this.#chance(0.1)) return this.#callBackLater(task, outcome);
    if (this.#chance(0.1)) {
      const deliver = () => publish().catch(() => {});
      this.#later.push({ at: this.now + this.#random.int(7_200_000), deliver });
      return;
    }
    await publish();
    if (this.#chance(0.05)) await publish();
  }

  #agentSays(run: SimulatedRun, { step_id, input_data }: AgentTask): AgentOutcome {
    if (step_id === run.workflow.brokenStep && !run.isHealed) {
      return { status: 'failed', error: { code: 'BROKEN', message: 'never', retryable: false } };
    }
    if (this.#chance(0.15)) {
      const error = { code: 'BUSY', message: 'later', retryable: true };
      const retry_after_ms = this.#random.int(20_000);
      return {
        status: 'failed',
        error: this.#random.chance(0.5) ? error : { ...error, ...{ retry_after_ms } },
      };
    }
    return { status: 'completed', output: answerTo(input_data as JsonObject) };
  }

  /** 202: the agent calls back later by the API, or never. */
  #callBackLater(
    { run_id: runId, step_execution_id: stepExecutionId }: AgentTask,
    outcome: AgentOutcome,
  ): void {
    const row = this.store.attempts.get(stepExecutionId);
    if (row === undefined) return;
    const deadlineAt = this.now + 600_000;
    const attempt = { ...row.attempt, acceptedAt: this.now, deadlineAt, wakeAt: deadlineAt };
    this.store.attempts.set(stepExecutionId, { ...row, attempt });
    if (this.#random.chance(0.2)) return;
    const deliver = async () => {
      const event = { type: 'agent_answered', stepExecutionId, attempt: null, logs: null, outcome } as const;
      await this.#living(({ decideBatch }) => decideBatch([{ runId, event }]));
    };
    this.#later.push({ at: this.now + this.#random.int(900_000), deliver });
  }

  #coldStart(): Environment {
    const skewMs = this.#random.int(20_000) - 10_000;
    const publishEntries = this.#publishEntries();
    const decideBatch = createDecideBatch({
      store: this.store,
      plans: new PlanCache(planDefaults),
      topics,
      tokens: { resultToken: (id) => `token-of-${id}` },
      clock: { now: () => this.now + skewMs },
      draws: { id: () => this.#id(), jitter: () => this.#random.next() },
      publishCommitted: async (committed, routes) => {
        const [entry] = (await routeTasks([committed], routes)) as [OutboxEntry];
        this.#die('publish');
        if (this.#crashAt === 'half-published') {
          const messages = entry.messages.slice(0, this.#random.int(entry.messages.length + 1));
          if (!this.broker.isAway) this.broker.publish(messages);
          this.#die('half-published');
        }
        await publishEntries([entry]);
        this.#die('remove');
        this.#die('published');
      },
    });
    const handle = createStepExecutor({
      decideBatch,
      producer: {
        publish: async (records) => {
          this.deadLetters.push(...records);
        },
      },
      verifyResultToken: (id, token) => token === `token-of-${id}`,
      deadLetterTopic: topics.deadLetter,
      countDeadLetters: async () => {},
      clock: { now: () => this.now },
      log: { debug() {}, warn() {} },
    });
    return { decideBatch, handle };
  }

  #publishEntries() {
    return createPublishEntries({
      publisher: { publish: async (messages) => this.broker.publish(messages) },
      outbox: {
        remove: async (ids) => {
          this.#die('remove');
          this.store.removeOutbox(ids);
        },
      },
    });
  }

  /** An invocation that does not die: its caller would ask again. */
  #living<T>(work: (environment: Environment) => Promise<T>): Promise<T> {
    return work(this.#environments[this.#random.int(ENVIRONMENTS)] as Environment);
  }

  #add(runId: string, workflow: WorkflowModel, n: number): void {
    const run = { runId, workflow, faultFree: faultFree(workflow, n), isHealed: false, lastCommand: null };
    this.runs.set(runId, run);
    this.#say(`started ${runId}: ${workflow.stepIds.length} steps, broken: ${workflow.brokenStep}`);
  }

  #die(point: CrashPoint | StorePoint): void {
    if (this.#crashAt !== null && this.#crashAt === point) throw new Crash(`died at ${point}`);
  }

  #chance(probability: number): boolean {
    return !this.isCalm && this.#random.chance(probability);
  }

  #clock() {
    const skewMs = this.#random.int(2_000) - 1_000;
    return { now: () => this.now + skewMs };
  }

  #timestamp(): string {
    return new Date(this.now).toISOString();
  }

  /** Ids in no order: nothing may hang on it. */
  #id(): string {
    this.#ids++;
    return `${Math.imul(this.#ids, 0x9e3779b1) >>> 0}-${this.#ids}`;
  }

  #say(what: string): void {
    this.trace.push(`${new Date(this.now).toISOString()} ${what}`);
  }
}

function definitionOf(input: object): WorkflowDefinition {
  const parsed = parseDefinition(input);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.definition;
}

function errorOf({ code, message, retryable, retryAfterMs }: AgentFailure) {
  return {
    error: { code, message, retryable, ...(retryAfterMs !== undefined && { retry_after_ms: retryAfterMs }) },
  };
}

function isDue(wakeAt: number | null, now: number): boolean {
  return wakeAt !== null && wakeAt <= now;
}
