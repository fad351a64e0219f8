import type { Topics } from '../config/topics.ts';
import { versionsOf, withPlan } from './plan-messages.ts';
import type { AgentName, AgentRoute } from './ports/agents.ts';
import type { Clock, Delivery, MessagePublisher, Outbox } from './ports/publishing.ts';
import type { LoadedVersion } from './ports/run-store.ts';
import { type ClaimedEntry, PublishingRecord, retryInMs, type ToPublish } from './publishing-record.ts';
import { answerForAgent, isGivenUp, msUntilGivenUp, taskIn, whyItWaits } from './refused-task.ts';
import { agentsOf, type RouteTasks } from './route-tasks.ts';

/** What an attempt whose task is not published says; null: it is. */
export interface AttemptNote {
  readonly stepExecutionId: string;
  readonly message: string | null;
}

export interface PublishClaimedDeps {
  readonly publisher: MessagePublisher;
  readonly outbox: Outbox;
  readonly routeTasks: RouteTasks;
  readonly topics: Pick<Topics, 'results' | 'httpTasks' | 'lambdaTasks'>;
  readonly clock: Clock;
  readonly loadVersions: (ids: readonly string[]) => Promise<ReadonlyMap<string, LoadedVersion>>;
  readonly loadAgentRoutes: (names: readonly AgentName[]) => Promise<ReadonlyMap<string, AgentRoute>>;
  /** Which of these attempts are open still. */
  readonly findOpenAttempts: (stepExecutionIds: readonly string[]) => Promise<ReadonlySet<string>>;
  readonly noteOnAttempts: (notes: readonly AttemptNote[]) => Promise<void>;
}

export interface PublishedClaims {
  /** Rows of which nothing is left. */
  readonly whole: number;
  /** Rows that may be tried again at once: what is left of them was not sent. */
  readonly unsent: readonly string[];
  /** Kafka answered for nothing at all: there is no sense in sending more. */
  readonly isUnanswered: boolean;
  /** Why something is not published, and to which topic; null: all is. */
  readonly failure: string | null;
}

/** Who waits for a registry here was left behind by one already. */
const LOOK_UP_MS = 1_000;

/**
 * Publishes rows that were left behind, but for what is known to be published, and for tasks of attempts that were closed meanwhile,
 * which are dropped. A task that its agent's topic does not take in its time ends its attempt, with a code that the run's owner
 * understands. A fixed number of statements.
 */
export async function publishClaimed(
  deps: PublishClaimedDeps,
  entries: readonly ClaimedEntry[],
): Promise<PublishedClaims> {
  const claims = new Claims(deps, entries);
  const messages = await claims.toPublish();
  const agents = agentsOf(messages.map(({ message }) => message));
  const routes = agents.length === 0 ? new Map() : await deps.loadAgentRoutes(agents);
  const { ready, lacking } = deps.routeTasks.route(messages, routes);
  await claims.send(ready);
  if (lacking.length > 0) {
    await deps.routeTasks.ask(lacking, LOOK_UP_MS);
    const asked = deps.routeTasks.route(lacking, routes);
    // Of what the registry does not tell, the HTTP bridge asks it once more, and tells the run.
    await claims.send([...asked.ready, ...asked.lacking.map(withoutAgent)]);
  }
  await claims.answerForRefusedTasks();
  return claims.settle();
}

/** What one timekeeper found out about the rows that it has. */
class Claims {
  readonly #deps: PublishClaimedDeps;
  readonly #entries: readonly ClaimedEntry[];
  readonly #record: PublishingRecord;
  readonly #sent: { each: ToPublish; delivery: Delivery }[] = [];
  #failure: string | null = null;

  constructor(deps: PublishClaimedDeps, entries: readonly ClaimedEntry[]) {
    this.#deps = deps;
    this.#entries = entries;
    this.#record = new PublishingRecord(entries);
  }

  /** With their plans; what is not to be published any more is known to be settled. */
  async toPublish(): Promise<ToPublish[]> {
    const left = this.#record.left();
    const taskIds = left.flatMap(({ message }) => taskIn(message)?.step_execution_id ?? []);
    const versionIds = versionsOf(left.map(({ message }) => message));
    const open = taskIds.length === 0 ? new Set() : await this.#deps.findOpenAttempts(taskIds);
    const versions = versionIds.length === 0 ? new Map() : await this.#deps.loadVersions(versionIds);
    return left.flatMap(({ place, message }) => {
      const task = taskIn(message);
      const planned = withPlan(message, versions);
      if (planned !== null && (task === null || open.has(task.step_execution_id)))
        return [{ place, message: planned }];
      this.#record.close(place);
      return [];
    });
  }

  async send(messages: readonly ToPublish[]): Promise<void> {
    if (messages.length === 0) return;
    const { publisher, outbox } = this.#deps;
    const { deliveries, late } = await publisher.send(messages.map(({ message }) => message));
    const failure = this.#record.add(messages, deliveries, (delivery, each) =>
      this.#retryInMs(delivery, each),
    );
    const failed = deliveries.findIndex(({ status }) => status !== 'acknowledged');
    if (failure !== null) this.#failure ??= `${failure} (topic "${messages[failed]?.message.topic}")`;
    this.#sent.push(...messages.map((each, i) => ({ each, delivery: deliveries[i] as Delivery })));
    void late?.then((inTheEnd) =>
      this.#record
        .ofLate(messages, inTheEnd)
        .settle(outbox)
        .catch(() => {}),
    );
  }

  async answerForRefusedTasks(): Promise<void> {
    const { publisher, topics, clock } = this.#deps;
    const now = clock.now();
    const answers = this.#refusedTasks().flatMap(({ each, task, code }) => {
      if (!isGivenUp(this.#entryOf(each).refusedForMs)) return [];
      const { topic } = each.message;
      const message = answerForAgent(task, { topic, code, resultsTopic: topics.results, now });
      return [{ ...each, message }];
    });
    if (answers.length === 0) return;
    const { deliveries } = await publisher.send(answers.map(({ message }) => message));
    this.#record.add(answers, deliveries, (delivery, each) => retryInMs(delivery, this.#entryOf(each).ageMs));
  }

  async settle(): Promise<PublishedClaims> {
    await this.#record.settle(this.#deps.outbox);
    const notes = this.#notes();
    if (notes.length > 0) await this.#deps.noteOnAttempts(notes);
    return {
      whole: this.#record.whole().length,
      unsent: this.#record.atOnce(),
      isUnanswered:
        this.#sent.length > 0 &&
        this.#sent.every(({ delivery: { status } }) => status === 'unknown' || status === 'unsent'),
      failure: this.#failure,
    };
  }

  #entryOf({ place }: ToPublish): ClaimedEntry {
    return this.#entries[place.entry]!;
  }

  /** A task is looked at again when its time is over. */
  #retryInMs(delivery: Delivery, each: ToPublish): number | null {
    const { ageMs, refusedForMs } = this.#entryOf(each);
    const inMs = retryInMs(delivery, ageMs);
    const isRefused = delivery.status === 'refused' && delivery.isLasting;
    if (inMs === null || !isRefused || !this.#isAgentsOwn(each)) return inMs;
    return Math.min(inMs, msUntilGivenUp(refusedForMs));
  }

  /** Whether it goes to a topic that an agent reads itself. */
  #isAgentsOwn({ message }: ToPublish): boolean {
    const { httpTasks, lambdaTasks } = this.#deps.topics;
    return taskIn(message) !== null && message.topic !== httpTasks && message.topic !== lambdaTasks;
  }

  #refusedTasks() {
    return this.#sent.flatMap(({ each, delivery }) => {
      const task = taskIn(each.message);
      return task !== null && delivery.status === 'refused' && delivery.isLasting && this.#isAgentsOwn(each)
        ? [{ each, task, code: delivery.code }]
        : [];
    });
  }

  #notes(): AttemptNote[] {
    const waiting = this.#refusedTasks().flatMap(({ each, task, code }) => {
      if (isGivenUp(this.#entryOf(each).refusedForMs)) return [];
      const message = whyItWaits(task, each.message.topic, code);
      return [{ stepExecutionId: task.step_execution_id, message }];
    });
    const published = this.#sent.flatMap(({ each, delivery }) => {
      const task = taskIn(each.message);
      return task !== null && delivery.status === 'acknowledged'
        ? [{ stepExecutionId: task.step_execution_id, message: null }]
        : [];
    });
    return [...waiting, ...published];
  }
}

function withoutAgent({ place, message: { taskOf: _, ...message } }: ToPublish): ToPublish {
  return { place, message };
}
