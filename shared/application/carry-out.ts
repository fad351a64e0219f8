import type { CarryOutLimits } from '../config/environment.ts';
import type { Topics } from '../config/topics.ts';
import type { AgentResult } from '../messages/messages.ts';
import type { BatchItem, Outcome } from './batch.ts';
import { type AgentRoute, agentKey } from './ports/agents.ts';
import type { Clock, OutboxEntry, OutgoingMessage, TaskAgent } from './ports/publishing.ts';
import type { ProcessBatch } from './process-batch.ts';
import { leave, type PublishCommittedDeps, publishRouted, publishTogether } from './publish-entries.ts';
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
  readonly topics: Pick<Topics, 'results' | 'monitoringUpdates'>;
  readonly clock: Clock;
  readonly limits: CarryOutLimits;
}

/** Sockets, and bodies of up to 256 KiB each. */
const MAX_CALLS_AT_ONCE = 128;
/** Answers that come within so long after one another go out together, unless all are there before; and what is told meanwhile. */
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

interface ToSend {
  readonly committed: Committed;
  readonly messages: readonly ToPublish[];
}

/**
 * The tasks of agents that answer at once are carried out by the invocation that committed them, beside one another, and their answers
 * published, or decided here too as far as a run may be carried on. Everything else goes by its topic. What tells of a decision goes
 * along with the answers, or by itself where there are none yet, and nothing but the invocation's end waits for it. One for each
 * execution environment, which does one invocation at a time.
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
  #toSend: ToSend[] = [];
  /** Something of it carries a run on. */
  #isUrgent = false;
  #isSending = false;
  #hasAnswered = false;
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

  /**
   * Resolves when all is done that was begun since `begin`, since an environment may be frozen then. Never rejects.
   * @returns whether answers were published
   */
  async finish(): Promise<{ readonly hasAnswered: boolean }> {
    while (this.#work.size > 0 || this.#toSend.length > 0) {
      await Promise.all(this.#work);
      this.#send();
    }
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#invocation = null;
    const hasAnswered = this.#hasAnswered;
    this.#hasAnswered = false;
    return { hasAnswered };
  }

  /** Begins it, and waits for nothing: `finish` does. */
  readonly publishCommitted = async (
    entry: OutboxEntry,
    routes: ReadonlyMap<string, AgentRoute>,
  ): Promise<void> => {
    const record = new PublishingRecord([entry]);
    const giveUpAt = this.#deps.clock.now() + this.#deps.limits.patienceMs;
    const committed: Committed = { record, routes, giveUpAt, underWay: 1 };
    const others: ToPublish[] = [];
    const updates: ToPublish[] = [];
    for (const each of record.left()) {
      const task = this.#maybeTask(committed, each);
      if (task !== null) {
        committed.underWay++;
        this.#waiting.push(task);
      } else if (each.message.topic === this.#deps.topics.monitoringUpdates) updates.push(each);
      else others.push(each);
    }
    this.#callWaiting();
    if (updates.length > 0) {
      committed.underWay++;
      this.#toSend.push({ committed, messages: updates });
      this.#handOnSoon();
    }
    this.#do(async () => {
      await publishRouted(this.#deps, record, others, routes);
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
    else if (called.status === 'given_up') this.#mustSend(this.#routed(task));
    else if (this.#mayCarryOn(task)) this.#toDecide.push({ ...task, answer: called.answer });
    else this.#mustSend(this.#published({ ...task, answer: called.answer }));
    this.#handOnSoon();
  }

  #mustSend(carriesOn: ToSend): void {
    this.#isUrgent = true;
    this.#toSend.push(carriesOn);
  }

  /** By its topic, as if nobody had called its agent. */
  #routed({ committed, task }: Task): ToSend {
    return { committed, messages: this.#deps.routeTasks.route([task], committed.routes).ready };
  }

  #published({ committed, task, runId, answer }: Answered): ToSend {
    this.#hasAnswered = true;
    const message: OutgoingMessage = {
      topic: this.#deps.topics.results,
      key: runId,
      value: answer as OutgoingMessage['value'],
    };
    return { committed, messages: [{ ...task, message }] };
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

  #handOnSoon(): void {
    if (this.#calling === 0) this.#handOn();
    else this.#timer ??= setTimeout(() => this.#handOn(true), GATHER_MS);
  }

  /** @param isTime what tells of a decision goes by itself: nothing has come yet to go along with */
  #handOn(isTime = false): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const accepted = this.#accepted;
    this.#accepted = [];
    if (accepted.length > 0) this.#do(() => this.#keepAccepted(accepted));
    if (!this.#isDeciding && this.#toDecide.length > 0) {
      this.#isDeciding = true;
      this.#do(() => this.#decide());
    }
    if (isTime || this.#isUrgent || !this.#isDeciding) this.#send();
    else this.#timer = setTimeout(() => this.#handOn(true), GATHER_MS);
  }

  /** One request at a time: a run's updates keep their order, and no answer overtakes what tells of the decision before it. */
  #send(): void {
    if (this.#isSending || this.#toSend.length === 0) return;
    const some = this.#toSend;
    this.#toSend = [];
    this.#isUrgent = false;
    this.#isSending = true;
    this.#do(async () => {
      const parts = some.map(({ committed: { record }, messages }) => ({ record, messages }));
      await publishTogether(this.#deps, parts).finally(() => {
        this.#isSending = false;
      });
      this.#send();
      await this.#settle(some.map(({ committed }) => committed));
    });
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
      const settled = await this.#decideAll(answered);
      const done = answered.filter((_, i) => settled[i]);
      for (const { committed, task } of done) committed.record.close(task.place);
      // What could not be decided here is told where its records have their dead letters and their time.
      for (const each of answered.filter((_, i) => !settled[i])) this.#mustSend(this.#published(each));
      this.#do(() => this.#settle(done.map(({ committed }) => committed)));
      if (this.#isUrgent) this.#send();
    }
    this.#isDeciding = false;
    this.#handOnSoon();
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
