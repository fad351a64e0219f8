import type { CarryOutLimits } from '../config/environment.ts';
import type { Topics } from '../config/topics.ts';
import type { AgentResult } from '../messages/messages.ts';
import type { BatchItem, Outcome } from './batch.ts';
import { type AgentRoute, agentKey } from './ports/agents.ts';
import type { Clock, OutboxEntry, OutgoingMessage, TaskAgent } from './ports/publishing.ts';
import type { ProcessBatch } from './process-batch.ts';
import { leave, type PublishCommittedDeps, publishRouted } from './publish-entries.ts';
import { PublishingRecord, type ToPublish } from './publishing-record.ts';

/** Agents that are known to answer at once. */
export interface QuickAgents {
  /** Null: the agent is not one of them, and its task goes to its topic. Asks nobody. */
  maybeFindCall(message: OutgoingMessage, agent: TaskAgent, route: AgentRoute): QuickCall | null;
  /** Their agents have accepted, and will call back. One statement. */
  keepAccepted(accepted: readonly Accepted[]): Promise<unknown>;
}

/** Calls the agent, once. Never rejects. @param patienceMs so long at most */
export type QuickCall = (patienceMs: number, invocation: Pick<Invocation, 'remainingMs'>) => Promise<Called>;

export type Called =
  | { readonly status: 'answered'; readonly answer: AgentResult }
  | { readonly status: 'accepted'; readonly accepted: Accepted }
  /** It did not answer in time, or could not be called here. */
  | { readonly status: 'given_up' };

export interface Accepted {
  readonly runId: string;
  readonly stepExecutionId: string;
  readonly deadlineInMs: number;
}

export interface Invocation {
  /** How long until it is ended, whatever it is doing. */
  readonly remainingMs: () => number;
  readonly decide: ProcessBatch;
}

export interface CarryOutDeps extends PublishCommittedDeps {
  readonly agents: QuickAgents;
  /** What an answer means for its run; null: it cannot be used as it is. */
  readonly itemOf: (answer: AgentResult) => BatchItem | null;
  readonly topics: Pick<Topics, 'results'>;
  readonly clock: Clock;
  readonly limits: CarryOutLimits;
}

/** Sockets, and bodies of up to 256 KiB each. */
const MAX_CALLS_AT_ONCE = 128;
/** Answers that come within so long after one another go out together, unless all are there before. */
const GATHER_MS = 20;
/** Of one invocation, so long answers are decided in it: its partition waits behind it. */
const CARRY_ON_MS = 2_000;
/** Left of an invocation's time when an answer is decided in it: a decision may wait for a lock. */
const RESERVE_MS = 15_000;

/** What one transaction committed. Its row stays until all of it is published or carried out (I5). */
interface Committed {
  readonly record: PublishingRecord;
  readonly routes: ReadonlyMap<string, AgentRoute>;
  readonly giveUpAt: number;
  /** What goes by its topic has gone, or has had its time: what an answer leads to is told of after that. */
  othersAreGone: Promise<void>;
  /** Parts of it that are under way. */
  underWay: number;
}

interface Task {
  readonly committed: Committed;
  readonly task: ToPublish;
  readonly runId: string;
  readonly agent: TaskAgent;
  readonly call: QuickCall;
}

interface Answered extends Task {
  readonly answer: AgentResult;
}

/**
 * The tasks of agents that answer at once are carried out by the invocation that committed them, beside one another, and their answers
 * published, or decided here too as far as a run may be carried on. Everything else goes by its topic. One for each execution
 * environment, which does one invocation at a time.
 */
export class CarryOut {
  readonly #deps: CarryOutDeps;
  readonly #work = new Set<Promise<void>>();
  #invocation: Invocation | null = null;
  #carryOnUntil = 0;
  /** Answers that were decided in this invocation, by run. */
  readonly #decided = new Map<string, number>();
  #waiting: Task[] = [];
  #calling = 0;
  #toSend: (Task & { readonly message: OutgoingMessage })[] = [];
  #toDecide: Answered[] = [];
  #accepted: (Task & { readonly accepted: Accepted })[] = [];
  #isDeciding = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: CarryOutDeps) {
    this.#deps = deps;
  }

  begin(invocation: Invocation): void {
    this.#invocation = invocation;
    this.#decided.clear();
    this.#carryOnUntil =
      this.#deps.clock.now() + Math.min(CARRY_ON_MS, invocation.remainingMs() - RESERVE_MS);
  }

  /** Resolves when all is done that was begun since `begin`. Never rejects. */
  async finish(): Promise<void> {
    while (this.#work.size > 0) await Promise.all(this.#work);
    this.#invocation = null;
  }

  /** Begins it, and waits for nothing: `finish` does. */
  readonly publishCommitted = async (
    entry: OutboxEntry,
    routes: ReadonlyMap<string, AgentRoute>,
  ): Promise<void> => {
    const record = new PublishingRecord([entry]);
    const giveUpAt = this.#deps.clock.now() + this.#deps.limits.patienceMs;
    const committed: Committed = { record, routes, giveUpAt, othersAreGone: Promise.resolve(), underWay: 1 };
    const others: ToPublish[] = [];
    for (const each of record.left()) {
      const task = this.#maybeTask(committed, each);
      if (task === null) others.push(each);
      else {
        committed.underWay++;
        this.#waiting.push(task);
      }
    }
    this.#callWaiting();
    const publishing = publishRouted(this.#deps, record, others, routes);
    committed.othersAreGone = publishing;
    this.#do(async () => {
      await publishing;
      await this.#settle([committed]);
    });
  };

  #maybeTask(committed: Committed, each: ToPublish): Task | null {
    const { agents, limits } = this.#deps;
    const { taskOf: agent } = each.message;
    if (agent === undefined || this.#invocation === null || limits.patienceMs === 0) return null;
    const route = committed.routes.get(agentKey(agent));
    const call = route && agents.maybeFindCall(each.message, agent, route);
    const { run_id: runId } = each.message.value;
    return call && typeof runId === 'string' ? { committed, task: each, runId, agent, call } : null;
  }

  #callWaiting(): void {
    while (this.#calling < MAX_CALLS_AT_ONCE) {
      const task = this.#waiting.shift();
      if (task === undefined) return;
      this.#calling++;
      this.#do(async () => {
        const called = await this.#call(task);
        this.#calling--;
        this.#callWaiting();
        this.#gather(task, called);
      });
    }
  }

  #call({ call, committed }: Task): Promise<Called> | Called {
    const { clock, limits } = this.#deps;
    const leftMs = committed.giveUpAt - clock.now();
    // Its turn came late: it is not its agent that is slow.
    if (leftMs < limits.patienceMs / 2 || this.#invocation === null) return { status: 'given_up' };
    return call(leftMs, this.#invocation);
  }

  #gather(task: Task, called: Called): void {
    if (called.status === 'accepted') this.#accepted.push({ ...task, accepted: called.accepted });
    else if (called.status === 'given_up') this.#toSend.push(...this.#routed(task));
    else if (this.#mayCarryOn(task)) this.#toDecide.push({ ...task, answer: called.answer });
    else this.#toSend.push(this.#published({ ...task, answer: called.answer }));
    if (this.#calling === 0) this.#handOn();
    else this.#timer ??= setTimeout(() => this.#handOn(), GATHER_MS);
  }

  /** By its topic, as if nobody had called its agent. */
  #routed(task: Task) {
    const { ready } = this.#deps.routeTasks.route([task.task], task.committed.routes);
    return ready.map(({ message }) => ({ ...task, message }));
  }

  #published(answered: Answered) {
    const { runId, answer } = answered;
    const message: OutgoingMessage = {
      topic: this.#deps.topics.results,
      key: runId,
      value: answer as OutgoingMessage['value'],
    };
    return { ...answered, message };
  }

  #mayCarryOn({ runId, agent }: Task): boolean {
    const { clock, limits } = this.#deps;
    const { stepsPerInvocation: asked = limits.stepsPerInvocation } = agent;
    const decided = this.#decided.get(runId) ?? 0;
    const isWithin = decided + 1 < Math.min(asked, limits.maxStepsPerInvocation);
    if (!isWithin || clock.now() >= this.#carryOnUntil) return false;
    this.#decided.set(runId, decided + 1);
    return true;
  }

  #handOn(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const [toSend, accepted] = [this.#toSend, this.#accepted];
    this.#toSend = [];
    this.#accepted = [];
    for (const [committed, some] of Map.groupBy(toSend, (each) => each.committed))
      this.#do(() => this.#send(committed, some));
    if (accepted.length > 0) this.#do(() => this.#keepAccepted(accepted));
    if (!this.#isDeciding && this.#toDecide.length > 0) {
      this.#isDeciding = true;
      this.#do(() => this.#decide());
    }
  }

  async #send(
    committed: Committed,
    some: readonly (Task & { readonly message: OutgoingMessage })[],
  ): Promise<void> {
    const messages = some.map(({ task, message }) => ({ ...task, message }));
    await committed.othersAreGone;
    await publishRouted(this.#deps, committed.record, messages, committed.routes);
    await this.#settle(some.map((each) => each.committed));
  }

  async #keepAccepted(some: readonly (Task & { readonly accepted: Accepted })[]): Promise<void> {
    try {
      await this.#deps.agents.keepAccepted(some.map(({ accepted }) => accepted));
      for (const { committed, task } of some) committed.record.close(task.place);
    } catch {
      // The timekeeper publishes their tasks, and their agents are asked again.
    }
    await this.#settle(some.map(({ committed }) => committed));
  }

  /** What comes meanwhile is decided together after that. */
  async #decide(): Promise<void> {
    while (this.#toDecide.length > 0) {
      const answered = this.#toDecide;
      this.#toDecide = [];
      await Promise.all(answered.map(({ committed }) => committed.othersAreGone));
      const settled = await this.#decideAll(answered);
      const done = answered.filter((_, i) => settled[i]);
      for (const { committed, task } of done) committed.record.close(task.place);
      // What could not be decided here is told where its records have their dead letters and their time.
      this.#toSend.push(...answered.filter((_, i) => !settled[i]).map((each) => this.#published(each)));
      this.#do(() => this.#settle(done.map(({ committed }) => committed)));
      if (this.#toSend.length > 0) this.#handOn();
    }
    this.#isDeciding = false;
  }

  /** @returns of each, whether nothing more is to be done for it */
  async #decideAll(answered: readonly Answered[]): Promise<boolean[]> {
    const items = answered.map(({ answer }) => this.#deps.itemOf(answer));
    const usable = items.filter((item) => item !== null);
    try {
      const outcomes = await this.#invocation!.decide(usable);
      return items.map((item) => item !== null && isSettled(outcomes[usable.indexOf(item)]));
    } catch {
      // The record that led here is decided, whatever keeps this from being so.
      return items.map(() => false);
    }
  }

  /** Parts of commits are over; of those that are whole, what is known is noted. */
  async #settle(parts: readonly Committed[]): Promise<void> {
    const whole = parts.filter((committed) => --committed.underWay === 0);
    await Promise.all(whole.map(({ record }) => record.settle(this.#deps.outbox).catch(leave)));
  }

  #do(work: () => Promise<void>): void {
    const working = work().finally(() => this.#work.delete(working));
    this.#work.add(working);
  }
}

function isSettled(outcome: Outcome | undefined): boolean {
  return outcome?.outcome === 'refused' || (outcome?.outcome === 'decided' && outcome.fault === undefined);
}
