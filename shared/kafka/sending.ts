import { setTimeout as sleep } from 'node:timers/promises';
import type { Delivery, Publishing } from '../application/ports/publishing.ts';
import { type DeliveryFault, deliveryFaultOf } from './delivery-fault.ts';
import type { Lane } from './lane.ts';
import { TopicRefusedError, type TopicTrust } from './topic-trust.ts';

export interface Encoded {
  readonly topic: string;
  readonly message: { readonly key: string; readonly value: string };
}

export interface SendingOptions {
  readonly records: readonly Encoded[];
  readonly trust: TopicTrust;
  readonly laneOf: (topic: string) => Pick<Lane, 'ready' | 'maybeFindPartition' | 'send'>;
  readonly isOwn: (topic: string) => boolean;
  readonly timeoutMs: number;
  /** `max.message.bytes` bounds what one request puts into one partition, not one record: what goes together stays below half. */
  readonly maxChunkBytes: number;
}

/** A record on its way, where it stands among those that were given, and what partition it goes to where that is known. */
interface Placed extends Encoded {
  readonly index: number;
  readonly place: ReturnType<Lane['maybeFindPartition']>;
}

/** Between tries within the time. */
const PAUSES_MS = { first: 50, longest: 500 };
/** A leader that has changed is found at once; what passes later than that is another's topic's own trouble. */
const TRIES_OF_OTHERS = 3;
/** Nobody waits longer for another's topic that did not answer the last time. */
const TROUBLED_PATIENCE_MS = 100;

/** Some records, on their way to where they go. */
export class Sending {
  readonly #options: SendingOptions;
  readonly #found: (Delivery | undefined)[];
  /** Why the last try came to nothing, while there are more to come. */
  readonly #lastFaults: (TriedFault | undefined)[];
  /** Of those that are with Kafka, and not answered for. */
  readonly #isOut: boolean[];

  constructor(options: SendingOptions) {
    this.#options = options;
    this.#found = options.records.map(() => undefined);
    this.#lastFaults = options.records.map(() => undefined);
    this.#isOut = options.records.map(() => false);
  }

  async result(): Promise<Publishing> {
    const groups = this.#groups();
    const under = groups.map((group) => this.#deliverGroup(group, this.#patienceFor(group[0]!.topic)));
    await Promise.all(under.map(({ waited }) => waited));
    const deliveries = this.#deliveries();
    const isLate = deliveries.some(({ status }) => status === 'unknown');
    const late = isLate ? Promise.all(under.map(({ done }) => done)).then(() => this.#deliveries()) : null;
    return { deliveries, late };
  }

  #deliveries(): Delivery[] {
    const reason = `Kafka did not answer within ${this.#options.timeoutMs} ms`;
    return this.#found.map((delivery, i) => {
      if (delivery !== undefined) return delivery;
      const { topic } = this.#options.records[i]!;
      this.#options.trust.trouble(topic);
      if (this.#isOut[i]) return { status: 'unknown', reason };
      const fault = this.#lastFaults[i];
      return fault ? deliveryOf(fault) : { status: 'unsent', reason };
    });
  }

  /** In the order of their first records, each in the order in which it was given. */
  #groups(): Placed[][] {
    const { records, laneOf } = this.#options;
    const placed = records.map(({ topic, message }, index): Placed => {
      const place = laneOf(topic).maybeFindPartition(topic, message.key);
      return { topic, message, index, place };
    });
    return [...Map.groupBy(placed, (each) => this.#fateOf(each)).values()];
  }

  /**
   * A name for what shares it: a leader, since what goes to it is one request, also of several topics where they are our own. A topic in
   * trouble holds up no other, and no partition of it another; and so it is with one whose partitions are not known yet.
   */
  #fateOf({ topic, place }: Placed): string {
    const { trust, isOwn } = this.#options;
    if (place === null) return topic;
    if (trust.isTroubled(topic)) return `${topic} ${place.partition}`;
    return isOwn(topic) ? `own ${place.leader}` : `${topic} of ${place.leader}`;
  }

  #patienceFor(topic: string): number {
    const { trust, isOwn, timeoutMs } = this.#options;
    return isOwn(topic) || !trust.isTroubled(topic) ? timeoutMs : Math.min(timeoutMs, TROUBLED_PATIENCE_MS);
  }

  /** `waited` ends with the group or with the patience for it; after that nothing more of it is sent. */
  #deliverGroup(group: readonly Placed[], patienceMs: number) {
    const limit = new AbortController();
    const over = Promise.withResolvers<void>();
    const timer = setTimeout(() => {
      limit.abort();
      over.resolve();
    }, patienceMs);
    const done = (async () => {
      for (const chunk of this.#chunksOf(group)) await this.#deliver(chunk, limit.signal);
    })().finally(() => clearTimeout(timer));
    return { done, waited: Promise.race([done, over.promise]) };
  }

  /** @param wasSent before, and nobody knows what became of it */
  async #deliver(chunk: readonly Placed[], limit: AbortSignal, wasSent = false): Promise<void> {
    const byTopic = Map.groupBy(chunk, ({ topic }) => topic);
    const { trust, isOwn } = this.#options;
    let isUnknown = wasSent;
    let pauseMs = PAUSES_MS.first;
    for (let tries = 1; ; tries++, pauseMs = Math.min(2 * pauseMs, PAUSES_MS.longest)) {
      if (limit.aborted) return;
      const tried = await this.#try(chunk, byTopic, limit);
      if (tried === null) return;
      isUnknown ||= tried.status === 'unknown';
      // That it cannot be sent again says nothing of the first time.
      const fault: TriedFault =
        isUnknown && tried.status === 'unsent' ? { ...tried, status: 'unknown' } : tried;
      for (const { index } of chunk) this.#lastFaults[index] = fault;
      for (const topic of byTopic.keys()) trust.trouble(topic);
      if (byTopic.size > 1 && fault.status !== 'unsent' && (fault.isPassing || fault.status === 'refused')) {
        const apart = [...byTopic.values()].map((ofTopic) => this.#deliver(ofTopic, limit, isUnknown));
        return void (await Promise.all(apart));
      }
      if (fault.about === 'record' && chunk.length > 1) {
        const middle = chunk.length >> 1;
        await this.#deliver(chunk.slice(0, middle), limit);
        return this.#deliver(chunk.slice(middle), limit);
      }
      // The owner of such a topic waits for it, and nobody else.
      const [{ topic }] = chunk as [Placed];
      const isRefused = fault.status === 'refused' && fault.about === 'all';
      const isHeld = isRefused && !isOwn(topic) && (!fault.isPassing || tries >= TRIES_OF_OTHERS);
      if (isHeld) trust.refuse(topic, fault.code);
      if (limit.aborted || isHeld || !fault.isPassing) return this.#settle(chunk, deliveryOf(fault));
      await sleep(pauseMs);
    }
  }

  /** @returns null where there is nothing more to do: it has gone well, or its time is over */
  async #try(
    chunk: readonly Placed[],
    byTopic: ReadonlyMap<string, readonly Placed[]>,
    limit: AbortSignal,
  ): Promise<TriedFault | null> {
    const { trust, laneOf } = this.#options;
    const topics = [...byTopic.keys()];
    const lane = laneOf(topics[0] as string);
    try {
      await Promise.all(topics.map((topic) => trust.confirm(topic)));
      await lane.ready();
    } catch (error) {
      if (!(error instanceof TopicRefusedError)) return { ...unsent(deliveryFaultOf(error)), cause: error };
      const { code } = error;
      return { status: 'refused', code, about: 'topic', isPassing: false, cause: error };
    }
    // Nobody waits for it any more, and it will be published again.
    if (limit.aborted) return null;
    this.#mark(chunk, true);
    try {
      await lane.send([...byTopic].map(([topic, records]) => ({ topic, messages: records.map(messageOf) })));
      for (const topic of topics) trust.trust(topic);
      this.#settle(chunk, { status: 'acknowledged' });
      return null;
    } catch (error) {
      const fault = deliveryFaultOf(error);
      if (fault.status !== 'unknown') this.#mark(chunk, false);
      if (fault.about !== 'topic') return { ...fault, cause: error };
      // Of one of these, or of another that the client wrote to: Kafka is asked for each alone.
      for (const topic of topics) trust.doubt(topic);
      return { ...fault, isPassing: true, cause: error };
    }
  }

  #mark(chunk: readonly Placed[], isOut: boolean): void {
    for (const { index } of chunk) this.#isOut[index] = isOut;
  }

  #settle(chunk: readonly Placed[], delivery: Delivery): void {
    for (const { index } of chunk) this.#found[index] = delivery;
  }

  *#chunksOf(group: readonly Placed[]): Generator<Placed[]> {
    let chunk: Placed[] = [];
    let bytes = 0;
    for (const record of group) {
      // At most three bytes a character: exact enough for a bound, and cheap.
      const size = record.message.value.length * 3;
      if (bytes + size > this.#options.maxChunkBytes && chunk.length > 0) {
        yield chunk;
        chunk = [];
        bytes = 0;
      }
      chunk.push(record);
      bytes += size;
    }
    if (chunk.length > 0) yield chunk;
  }
}

type TriedFault = DeliveryFault & { readonly cause: unknown };

/** Whatever went wrong before anything was sent. */
function unsent(fault: DeliveryFault): DeliveryFault {
  return { ...fault, status: 'unsent', about: 'all', isPassing: true };
}

function deliveryOf({ status, code, about, cause }: TriedFault): Delivery {
  const isLasting = about !== 'all';
  if (status === 'refused') return { status, code, isLasting, cause, reason: `Kafka refused: ${code}` };
  if (status === 'unsent') return { status, cause, reason: `Kafka was not reached: ${code}` };
  return { status, cause, reason: `Kafka did not answer: ${code}` };
}

function messageOf({ message, place }: Placed) {
  return place === null ? message : { ...message, partition: place.partition };
}
