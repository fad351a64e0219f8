import { createStepExecutor } from '../../functions/step-executor/step-executor.ts';
import { withAgentClocks } from '../../shared/application/agent-clocks.ts';
import type { AuditEntry } from '../../shared/application/audit.ts';
import type { Outcome } from '../../shared/application/batch.ts';
import { type ChangeRun, createChangeRun } from '../../shared/application/change-run.ts';
import { codeOf } from '../../shared/application/error-policy.ts';
import type { PlanCache } from '../../shared/application/plan-cache.ts';
import { agentKey } from '../../shared/application/ports/agents.ts';
import type { MessagePublisher, Outbox, OutboxEntry } from '../../shared/application/ports/publishing.ts';
import type { RunReads, RunSaves, RunStore } from '../../shared/application/ports/run-store.ts';
import { createProcessBatch, type ProcessBatch } from '../../shared/application/process-batch.ts';
import {
  createPublishCommitted,
  createPublishEntries,
  type PublishDeps,
} from '../../shared/application/publish-entries.ts';
import { createRouteTasks } from '../../shared/application/route-tasks.ts';
import { createStartRun, type StartRun } from '../../shared/application/start-run.ts';
import { planDefaults } from '../../shared/config/plan-defaults.ts';
import type { EngineEvent } from '../../shared/engine/event.ts';
import { type Attempt, isOpenAttempt, isOpenRun } from '../../shared/engine/state.ts';
import type { MskBatchResponse, MskEvent } from '../../shared/kafka/msk-event.ts';
import { MemoryStore, type StorePoint } from '../support/memory-store.ts';
import { failure } from '../support/memory-tables.ts';
import type { Random } from '../support/random.ts';
import { Asked } from './asked.ts';
import { BrokerModel, type Message, type Partition, type Taken } from './broker-model.ts';
import { interleaved } from './interleaved.ts';
import { Poisons } from './poisons.ts';
import { PublishingWatch } from './publishing-watch.ts';
import { RegistryModel } from './registry-model.ts';
import { RemovalsModel } from './removals-model.ts';
import { isLeftBehindAt, TimekeeperModel, type TimekeepersWorld } from './timekeeper-model.ts';
import { AGENT_TOPIC, EXECUTOR_TOPICS, KAFKA_AGENT, TABLE_AGENT, TASK_TOPICS, topics } from './topics.ts';
import { type TakeWarm, WatchedWarmRuns } from './warm-watch.ts';

const ENVIRONMENTS = 3;

/** Where an invocation may die; `offsets` is after its answer, before the mapping has committed it. */
const CRASH_POINTS = [
  'loadRuns',
  'save',
  'commit',
  'publish',
  'half-published',
  'remove',
  'published',
  'offsets',
] as const;
type CrashPoint = (typeof CRASH_POINTS)[number];

/** Its invocation ends with it: nothing that it would be to any one record. */
class Crash extends Error {
  readonly code = 'DATABASE_UNAVAILABLE';
}

interface Environment {
  readonly processBatch: ProcessBatch;
  readonly changeRun: ChangeRun;
  readonly handle: (event: MskEvent) => Promise<MskBatchResponse>;
  readonly removals: RemovalsModel;
}

/** What is under way. */
interface Invocation {
  readonly runIds: readonly string[];
  /** Null: nobody's who may be interrupted, or die. */
  readonly environment: number | null;
  readonly partitions: readonly Partition[];
  readonly crashAt: CrashPoint | null;
  /** No fault hits it. */
  readonly isSpared: boolean;
  /** Somebody asked for it, by the API. */
  readonly isCommand: boolean;
}

const NOBODYS: Invocation = {
  runIds: [],
  environment: null,
  partitions: [],
  crashAt: null,
  isSpared: true,
  isCommand: false,
};

/** What differs from one simulation to another. */
export interface WorldParts {
  /** What an environment has compiled since its cold start. */
  readonly newPlans: () => PlanCache;
  /** How many records an invocation gets, at most. */
  readonly maxBatch: number;
  /** How far the clocks of environments are from the database's. */
  readonly maxSkewMs: number;
}

/** What is wrong with the environments, to see whether that is found. */
export interface Faults {
  /** What they take for the store. */
  readonly store?: (store: RunStore, tables: MemoryStore) => RunStore;
  /** What they take from the states that they keep. */
  readonly warm?: (take: TakeWarm) => TakeWarm;
  readonly decide?: (processBatch: ProcessBatch) => ProcessBatch;
  readonly outbox?: (outbox: Outbox) => Outbox;
}

/**
 * The real engine, batches, starts, commands and step-executor among models of everything else: database, broker, timekeeper,
 * clocks. Each method is one thing that happens; what is drawn, comes from one seed.
 */
export class World implements TimekeepersWorld {
  readonly store: MemoryStore;
  readonly poisons: Poisons;
  readonly broker: BrokerModel;
  readonly registry: RegistryModel;
  readonly watch: PublishingWatch;
  readonly random: Random;
  readonly deadLetters: Message[] = [];
  /** What happened, each with the runs that it was about. */
  readonly trace: { readonly at: number; readonly what: string; readonly about: readonly string[] }[] = [];
  /** How often each kind of thing happened. */
  readonly met = new Map<string, number>();
  /** Runs that somebody asks to go on after their end: users, and each attempt of a parent that waits for them again. */
  readonly retried = new Asked();
  /** Runs that somebody asks to be cancelled. */
  readonly cancellable = new Asked();
  /** Runs that another producer asked to be cancelled, by its own clock: whether before a retry, cannot be told. */
  readonly cancelledElsewhere = new Set<string>();
  /** The times of agents that read their own topic, by attempt: until when, as it was set last. */
  readonly agentClocks = new Map<string, number>();
  /** Attempts whose tasks came into such a topic. */
  readonly agentTasks = new Set<string>();
  /** What was found where nobody looks: what a publishing throws is caught, as normal. */
  found: Error | null = null;
  /** No more faults: agents answer at once, invocations live. */
  isCalm = false;
  now = Date.parse('2026-01-15T10:30:00.000Z');
  /** Somebody does something, which may be about that run, while an invocation decides about it. */
  others: (runId: string, mayCommand: boolean) => Promise<void> = async () => {};
  readonly #parts: WorldParts;
  readonly #faults: Faults;
  readonly #timekeeper: TimekeeperModel;
  readonly #environments: Environment[];
  #later: { at: number; deliver: () => Promise<void> }[] = [];
  /** The innermost last. */
  readonly #underway: Invocation[] = [];
  /** Runs that went on while somebody decided about them, who decides again. */
  readonly #overtaken = new Set<string>();
  #ids = 0;
  readonly #lost = new Set<string>();

  constructor(random: Random, parts: WorldParts, faults: Faults = {}) {
    this.random = random;
    this.#parts = parts;
    this.#faults = faults;
    this.broker = new BrokerModel(random, () => this.now);
    this.broker.later = (inMs, deliver) => this.later(inMs, async () => deliver());
    this.registry = new RegistryModel(() => this.chance(0.2));
    this.watch = new PublishingWatch(this.broker, () => this.now);
    this.watch.onRepeated = () => this.count('published once more');
    this.store = new MemoryStore(() => this.now);
    this.poisons = new Poisons(this.store);
    this.store.onPoint = (point) => this.#reach(point);
    const route = { address: AGENT_TOPIC, timeoutSeconds: null };
    this.store.routes.set(agentKey({ owner: null, name: TABLE_AGENT }), { ...route, kind: 'http' });
    this.store.routes.set(agentKey({ owner: null, name: KAFKA_AGENT }), { ...route, kind: 'kafka' });
    this.broker.isLost = (message) => this.#loses(message);
    this.#timekeeper = new TimekeeperModel(this);
    this.#environments = Array.from({ length: ENVIRONMENTS }, () => this.#coldStart());
  }

  calmDown(): void {
    this.isCalm = true;
    this.broker.isCalm = true;
    this.broker.isAway = false;
    this.broker.missing.clear();
    this.registry.isAway = false;
  }

  chance(probability: number): boolean {
    return !this.isCalm && this.random.chance(probability);
  }

  /** Ids in no order: nothing may hang on it. */
  id(): string {
    this.#ids++;
    return `${Math.imul(this.#ids, 0x9e3779b1) >>> 0}-${this.#ids}`;
  }

  say(what: string, about: readonly string[] = []): void {
    this.trace.push({ at: this.now, what, about });
  }

  count(what: string): void {
    this.met.set(what, (this.met.get(what) ?? 0) + 1);
  }

  // Time

  passTime(ms: number): void {
    this.now += ms;
    this.say(`time passes: ${ms} ms`);
  }

  later(inMs: number, deliver: () => Promise<void>): void {
    this.#later.push({ at: this.now + inMs, deliver });
  }

  async deliverLate(): Promise<boolean> {
    const due = this.#later.filter(({ at }) => at <= this.now);
    this.#later = this.#later.filter(({ at }) => at > this.now);
    for (const { deliver } of due) await deliver();
    return due.length > 0;
  }

  /** The next moment at which something happens by itself, or null. */
  nextMoment(): number | null {
    const times = this.#later.map(({ at }) => at);
    for (const { run } of this.store.runs.values())
      if (isOpenRun(run) && run.wakeAt !== null) times.push(run.wakeAt);
    for (const { attempt } of this.store.attempts.values())
      if (isOpenAttempt(attempt) && attempt.wakeAt !== null && !this.#asksInVain(attempt))
        times.push(attempt.wakeAt);
    for (const row of this.store.outbox.values()) times.push(isLeftBehindAt(row));
    return times.length === 0 ? null : Math.min(...times);
  }

  /** A parent asks for as long as its child goes on, which waits for something else. */
  #asksInVain({ childRunId, deadlineAt }: Attempt): boolean {
    const child = childRunId === null ? undefined : this.store.runs.get(childRunId);
    return child !== undefined && isOpenRun(child.run) && deadlineAt === null;
  }

  // Users

  get startRun(): StartRun {
    const skewMs = this.random.int(2_000) - 1_000;
    return createStartRun({
      runs: this.store,
      topics,
      clock: { now: () => this.now + skewMs },
      nextId: () => this.id(),
      publishEntries: (entries) => this.#publishing(entries, (deps) => createPublishEntries(deps)(entries)),
      planDefaults,
    });
  }

  /** A call of the API. It may die with its invocation: who gets no answer asks again. */
  call(what: string, runId: string, command: (changeRun: ChangeRun) => Promise<unknown>): Promise<void> {
    return this.#ask(what, runId, ({ changeRun }) => command(changeRun));
  }

  /** Events of any kind about a run, decided together. */
  callBatch(what: string, runId: string, events: readonly EngineEvent[]): Promise<void> {
    const items = events.map((event) => ({ runId, event }));
    return this.#ask(what, runId, ({ processBatch }) => processBatch(items));
  }

  async #ask(
    what: string,
    runId: string,
    ask: (environment: Environment) => Promise<unknown>,
  ): Promise<void> {
    const environment = this.#idleEnvironment();
    const crashAt = this.chance(0.1) ? this.random.pick(CRASH_POINTS) : null;
    this.say(`${what}${crashAt === null ? '' : `, dies at ${crashAt}`}`, [runId]);
    const invocation = {
      ...NOBODYS,
      runIds: [runId],
      environment,
      crashAt,
      isSpared: false,
      isCommand: true,
    };
    await this.#during(invocation, async () => {
      try {
        const answer = await ask(this.#environments[environment] as Environment);
        this.say(`${what}: ${JSON.stringify(answer)}`, [runId]);
        this.#die('offsets');
      } catch (error) {
        this.#survive(error, environment);
        this.later(this.random.int(10_000), () => this.#ask(what, runId, ask));
      }
    });
  }

  /** A call to which nothing happens but that others come between, so that who calls has its answer. */
  async callInPeace<T>(runId: string, command: (changeRun: ChangeRun) => Promise<T>): Promise<T> {
    const environment = this.#idleEnvironment();
    const { changeRun } = this.#environments[environment] as Environment;
    const invocation = { ...NOBODYS, runIds: [runId], environment, isCommand: true };
    return this.#during(invocation, () => command(changeRun));
  }

  // Functions

  /** One invocation of the step-executor: some records of a topic, of one partition or two. @param runId whose next records, where there are any */
  async invokeExecutor(runId: string | null = null): Promise<boolean> {
    const taken = this.#takeRecords(runId);
    if (taken.length === 0) return false;
    const messages = taken.flatMap((each) => each.messages);
    const runIds = messages.map(({ key }) => key);
    if (new Set(runIds).size > 1) this.count('batch of several runs');
    if (new Set(runIds).size < runIds.length) this.count('batch with several records of a run');
    const environment = this.#idleEnvironment();
    const { handle } = this.#environments[environment] as Environment;
    const crashAt = this.chance(0.2) ? this.random.pick(CRASH_POINTS) : null;
    const what = messages.map(({ value }) => tell(value)).join(', ');
    this.say(`executor ${environment}${crashAt === null ? '' : `, dies at ${crashAt}`}: ${what}`, runIds);
    const partitions = taken.map(({ partition }) => partition);
    await this.#during(
      { ...NOBODYS, runIds, environment, partitions, crashAt, isSpared: false },
      async () => {
        try {
          await handle(this.broker.eventOf(taken));
          this.#die('offsets');
          for (const each of taken) this.broker.commit(each);
        } catch (error) {
          this.#survive(error, environment);
        }
      },
    );
    return true;
  }

  #takeRecords(runId: string | null): Taken[] {
    const taken = new Set(this.#underway.flatMap(({ partitions }) => partitions));
    const waiting = this.broker.waiting(EXECUTOR_TOPICS).filter((partition) => !taken.has(partition));
    if (waiting.length === 0) return [];
    const ofRun = waiting.filter(({ messages, committed }) => messages[committed]?.key === runId);
    const first = this.random.pick(ofRun.length > 0 ? ofRun : waiting);
    const second = waiting.find(({ topic, index }) => topic === first.topic && index !== first.index);
    const partitions = second && this.random.chance(0.2) ? [first, second] : [first];
    return partitions.map((each) => this.broker.take(each, 1 + this.random.int(this.#parts.maxBatch)));
  }

  /** An environment has one invocation at a time. */
  #idleEnvironment(): number {
    const busy = new Set(this.#underway.map(({ environment }) => environment));
    return this.random.pick(Array.from({ length: ENVIRONMENTS }, (_, i) => i).filter((i) => !busy.has(i)));
  }

  async #during<T>(invocation: Invocation, work: () => Promise<T>): Promise<T> {
    this.#underway.push(invocation);
    try {
      return await work();
    } finally {
      this.#underway.pop();
    }
  }

  /** Others go on while an invocation decides: what it has read may be over when it saves. */
  async #meanwhile(): Promise<void> {
    const invocation = this.#underway.at(-1);
    const busy = this.#underway.filter(({ environment }) => environment !== null).length;
    if (!invocation || invocation.runIds.length === 0 || busy >= ENVIRONMENTS) return;
    const isOvertaken = invocation.runIds.some((runId) => this.#overtaken.has(runId));
    if (!this.chance(isOvertaken ? 0.4 : 0.1)) return;
    this.count('others come between');
    const mayCommand = !this.#underway.some(({ isCommand }) => isCommand);
    const runId = this.random.pick(invocation.runIds);
    await this.#during(NOBODYS, () => this.others(runId, mayCommand));
  }

  /** @returns whether there was anything to do. */
  async invokeTimekeeper(): Promise<boolean> {
    const fired = await this.#timekeeper.fireDueTimes();
    return (await this.#timekeeper.publishLeftBehind()) || fired;
  }

  rebalance(): void {
    this.broker.rewind([...EXECUTOR_TOPICS, ...TASK_TOPICS], this.random.chance(0.1) ? 40 : 4);
  }

  /** A topic's consumer is held up, or goes on. */
  stall(): void {
    const topic = this.random.pick([...EXECUTOR_TOPICS, ...TASK_TOPICS]);
    if (!this.broker.stalled.delete(topic)) this.broker.stalled.add(topic);
  }

  #coldStart(): Environment {
    const { maxSkewMs, newPlans } = this.#parts;
    const {
      store: disguise = (store: RunStore) => store,
      decide = (processBatch: ProcessBatch) => processBatch,
    } = this.#faults;
    const skewMs = this.random.int(2 * maxSkewMs) - maxSkewMs;
    const routeTasks = createRouteTasks({ registry: this.registry.seenByOne(), topics });
    const removals = new RemovalsModel(this);
    const saved = new Set<string>();
    const read = new Set<string>();
    const store = disguise(this.#noting(saved, read, removals), this.store);
    const createdBatch = createProcessBatch({
      store: interleaved(store, () => this.#meanwhile()),
      plans: newPlans(),
      warmRuns: new WatchedWarmRuns(this, this.#faults.store === undefined, this.#faults.warm),
      topics,
      tokens: { resultToken: (id) => `token-of-${id}` },
      clock: { now: () => this.now + skewMs },
      draws: { id: () => this.id(), jitter: () => this.random.next() },
      publishCommitted: async (committed, routes) => {
        this.#die('publish');
        await this.#publishing(
          [committed],
          (deps) => createPublishCommitted({ ...deps, routeTasks })(committed, routes),
          removals,
        );
        this.#die('published');
      },
    });
    const processBatch = this.#checkingTold(decide(createdBatch), saved, read);
    const handle = createStepExecutor({
      processBatch,
      producer: {
        publish: async (records) => {
          this.deadLetters.push(...records);
        },
      },
      verifyResultToken: (id, token) => token === `token-of-${id}`,
      deadLetterTopic: topics.deadLetter,
      countDeadLetters: async () => {},
      clock: { now: () => this.now },
      log: {
        debug: (_message, { run_id, event, code }) => {
          this.count(`refused: ${code}`);
          this.say(`refused ${event}: ${code}`, [`${run_id}`]);
        },
        warn() {},
        error() {},
      },
    });
    const heartbeats = { beat: async (_runId: string, id: string) => this.#beat(id) };
    return { processBatch, changeRun: createChangeRun(processBatch, heartbeats), handle, removals };
  }

  /** The store, and what an environment's saves come to. @param saved runs that it has saved */
  #noting(saved: Set<string>, read: Set<string>, removals: RemovalsModel): RunStore {
    const reading =
      (loadRuns: RunReads['loadRuns']): RunReads['loadRuns'] =>
      (query) => {
        for (const runId of query.runIds) read.add(runId);
        return loadRuns(query);
      };
    const noting =
      (save: RunSaves['save'], removed: () => void): RunSaves['save'] =>
      async (changes, ...rest) => {
        const runIds = [
          ...changes.advanced.map(({ runId }) => runId),
          ...changes.changed.map(({ run }) => run.runId),
        ];
        try {
          const routes = await save(changes, ...rest);
          removed();
          for (const runId of runIds) {
            saved.add(runId);
            if (this.#overtaken.delete(runId)) this.count('decided again and saved');
          }
          return routes;
        } catch (error) {
          if (codeOf(error) === 'RUNS_MOVED_ON') {
            this.count('run moved on');
            const { runIds: movedOn } = error as Error & { runIds: readonly string[] };
            if (movedOn.length < runIds.length) this.count('some runs of a batch moved on');
            for (const runId of movedOn) this.#overtaken.add(runId);
          }
          throw error;
        }
      };
    const { store } = this;
    return {
      loadRuns: reading(store.loadRuns),
      loadAttempts: store.loadAttempts,
      loadJoins: store.loadJoins,
      loadData: store.loadData,
      loadCompletedSteps: store.loadCompletedSteps,
      loadVersions: store.loadVersions,
      storeInlinePlans: store.storeInlinePlans,
      save: noting(store.save, () => removals.remove()),
      underLock: (runIds, work) => {
        this.count('locked');
        return store.underLock(runIds, (locked) =>
          work({ ...locked, loadRuns: reading(locked.loadRuns), save: noting(locked.save, () => {}) }),
        );
      },
    };
  }

  /** Who is told that something is decided, can rely on it; and nobody is refused by what is only kept. */
  #checkingTold(processBatch: ProcessBatch, saved: Set<string>, read: Set<string>): ProcessBatch {
    return async (items) => {
      saved.clear();
      read.clear();
      const outcomes = await processBatch(items);
      // Its answer is all that it gives its parent.
      for (const [i, { runId, event }] of items.entries()) {
        const { outcome } = outcomes[i] as Outcome;
        if (outcome === 'decided' && event.type !== 'answer_requested' && !saved.has(runId))
          this.found ??= new Error(`${event.type} of ${runId} is said to be decided, and nothing is saved`);
        if (outcome === 'refused' && !saved.has(runId) && !read.has(runId))
          this.found ??= new Error(`${event.type} of ${runId} is refused, and the run is not read`);
      }
      return outcomes;
    };
  }

  /** As persistence/agent-calls.ts. */
  #beat(stepExecutionId: string): boolean {
    const row = this.store.attempts.get(stepExecutionId);
    if (row?.attempt.status !== 'RUNNING') return false;
    const { acceptedAt, deadlineAt, heartbeatMs } = row.attempt;
    if (acceptedAt === null || heartbeatMs === null || deadlineAt === null) return true;
    const heartbeatDueAt = this.now + heartbeatMs;
    const attempt = { ...row.attempt, heartbeatDueAt, wakeAt: Math.min(deadlineAt, heartbeatDueAt) };
    this.store.attempts.set(stepExecutionId, { ...row, attempt });
    return true;
  }

  /**
   * A function's publisher keeps the times of agents that have no bridge, too.
   * @param beforeStart their tasks are there
   */
  keepingClocks(publisher: MessagePublisher, beforeStart: () => void = () => {}): MessagePublisher {
    return withAgentClocks({
      publisher,
      agentClocks: {
        start: async (clocks) => {
          beforeStart();
          this.store.startClocks(clocks);
          for (const { stepExecutionId, timeoutMs } of clocks)
            this.agentClocks.set(stepExecutionId, this.now + timeoutMs);
        },
      },
      clock: { now: () => this.now },
    });
  }

  /** @param publish catches what the outbox throws: where it is lost, nothing is noted */
  async #publishing<Result>(
    entries: readonly OutboxEntry[],
    publish: (deps: PublishDeps) => Promise<Result>,
    removals: Pick<RemovalsModel, 'add'> = { add: (ids) => this.store.removeOutbox(ids) },
  ): Promise<Result> {
    const { outbox: disguise = (outbox: Outbox) => outbox } = this.#faults;
    let crash: unknown = null;
    const dieAt = (point: CrashPoint) => {
      if (crash !== null) throw crash;
      try {
        this.#die(point);
      } catch (error) {
        crash = error;
        throw error;
      }
    };
    const noting = (note: () => void) => async () => {
      dieAt('remove');
      note();
    };
    const result = await this.watch.during(entries, async (publisher) => {
      const mayDie: MessagePublisher = {
        send: async (messages) => {
          if (this.#underway.at(-1)?.crashAt === 'half-published' && this.random.chance(0.5)) {
            this.broker.publishSome(messages);
            dieAt('half-published');
          }
          return publisher.send(messages);
        },
      };
      const published = await publish({
        publisher: this.keepingClocks(mayDie, () => dieAt('half-published')),
        outbox: disguise({
          remove: (ids) => noting(() => removals.add(ids))(),
          settle: (settlements) => noting(() => this.store.settleOutbox(settlements))(),
        }),
      });
      if (crash !== null) throw crash;
      return published;
    });
    this.count(
      entries.some(({ id }) => this.store.outbox.get(id)?.published) ? 'published in part' : 'published',
    );
    return result;
  }

  /** A topic goes away, or comes back. */
  loseTopic(topic: string): void {
    if (this.broker.missing.delete(topic)) return;
    this.broker.missing.add(topic);
    this.count('topic away');
  }

  /** I7: what the timekeeper, or a parent that waits, makes up for. Not twice of one attempt: that is its end. */
  #loses({ value }: Message): boolean {
    const { message_type: type, run_id, step_execution_id, attempt } = value;
    // Its plan nobody else has.
    const isOnly = type === 'execution_request' && !('input_data' in value);
    const isSeldom = type === 'retry_request' || (type === 'agent_result' && attempt === undefined);
    if (isOnly || !MADE_UP_FOR.has(`${type}`) || !this.chance(isSeldom ? 0.1 : 0.02)) return false;
    const what = `${run_id} ${step_execution_id}`;
    if (this.#lost.has(what)) return false;
    this.#lost.add(what);
    this.count(`lost: ${type}`);
    this.say(`lost: ${tell(value)}`, [`${run_id}`]);
    return true;
  }

  #reach(point: StorePoint): void {
    if (this.#underway.at(-1)?.isSpared !== false) return;
    this.#die(point);
    if (point === 'loadRuns' && this.chance(0.01)) throw failure('DATABASE_UNAVAILABLE');
    if (point !== 'save') return;
    if (this.chance(0.02)) throw failure('TRANSACTION_CONFLICT');
    // It waits for no run's lock.
    if (this.chance(0.03)) void this.#timekeeper.fireDueTimes();
  }

  #die(point: CrashPoint | StorePoint): void {
    if (this.#underway.at(-1)?.crashAt !== point) return;
    this.count(`died at ${point}`);
    throw new Crash(`died at ${point}`);
  }

  /** What an invocation may end with; the caller, or the mapping, comes again. */
  #survive(error: unknown, index: number): void {
    if (error instanceof Crash) {
      this.#environments[index]?.removals.lose();
      this.#environments[index] = this.#coldStart();
    } else if (!PASSING.has(codeOf(error))) throw error;
  }
}

const MADE_UP_FOR = new Set([
  'agent_task',
  'agent_result',
  'execution_request',
  'retry_request',
  'step_request',
  'wake',
]);

const PASSING = new Set<unknown>(['DATABASE_UNAVAILABLE', 'TRANSACTION_CONFLICT']);

/** Who asked, where it does not matter. */
export const AUDIT: AuditEntry = {
  userId: 'ann',
  apiKeyId: null,
  communityId: null,
  action: 'simulated',
  requestId: 'r',
  sourceAddress: null,
};

function tell(value: Message['value']): string {
  const { message_type, run_id, step_execution_id } = value;
  return `${message_type} ${run_id} ${step_execution_id ?? ''}`.trimEnd();
}
