import type { Delivery, Outbox, OutboxEntry, OutgoingMessage, Settlement } from './ports/publishing.ts';

/** A row that the timekeeper has. */
export interface ClaimedEntry extends OutboxEntry {
  /** As in `Settlement`, of what others have found out; null: nothing. */
  readonly published: string | null;
  readonly ageMs: number;
  /** For how long something of it has been refused, and that lasts; null: nothing is. */
  readonly refusedForMs: number | null;
}

/** A message of an entry. */
export interface Place {
  readonly entry: number;
  readonly message: number;
}

export interface ToPublish {
  readonly place: Place;
  readonly message: OutgoingMessage;
}

type Entry = OutboxEntry & Partial<ClaimedEntry>;

/** What is known of publishing some rows of the outbox, message by message. */
export class PublishingRecord {
  readonly #entries: readonly Entry[];
  readonly #published: boolean[][];
  readonly #retryInMs: (number | null)[];
  readonly #isRefused: (boolean | null)[];

  constructor(entries: readonly Entry[]) {
    this.#entries = entries;
    this.#published = entries.map(({ messages, published }) =>
      messages.map((_, i) => published?.[i] === '1'),
    );
    this.#retryInMs = entries.map(() => null);
    this.#isRefused = entries.map(() => null);
  }

  /** Of the same rows, for what is found out later: what is acknowledged, and nothing of the rest. */
  ofLate(messages: readonly ToPublish[], deliveries: readonly Delivery[]): PublishingRecord {
    const told = new PublishingRecord(this.#entries);
    for (const [i, { place }] of messages.entries())
      if (deliveries[i]!.status === 'acknowledged') told.close(place);
    return told;
  }

  /** Messages of which nobody knows that they are published. */
  left(): ToPublish[] {
    return this.#entries.flatMap(({ messages }, entry) =>
      messages.flatMap((message, i) =>
        this.#published[entry]![i] ? [] : [{ place: { entry, message: i }, message }],
      ),
    );
  }

  /**
   * @param retryOf when one that was not acknowledged may be tried again; null: as soon as somebody looks. The longest counts of
   * an entry.
   * @returns why the first was not acknowledged; null: all were.
   */
  add(
    messages: readonly ToPublish[],
    deliveries: readonly Delivery[],
    retryOf: (delivery: Delivery, message: ToPublish) => number | null,
  ): string | null {
    let failure: string | null = null;
    for (const [i, each] of messages.entries()) {
      const delivery = deliveries[i] as Delivery;
      if (delivery.status === 'acknowledged') {
        this.close(each.place);
        continue;
      }
      failure ??= delivery.reason;
      const retryInMs = retryOf(delivery, each);
      const { entry } = each.place;
      if (delivery.status !== 'unsent')
        this.#isRefused[entry] ||= delivery.status === 'refused' && delivery.isLasting;
      if (retryInMs !== null) this.#retryInMs[entry] = Math.max(retryInMs, this.#retryInMs[entry] ?? 0);
    }
    return failure;
  }

  /** It needs no publishing any more. */
  close({ entry, message }: Place): void {
    this.#published[entry]![message] = true;
  }

  /** Ids of rows of which something is to be tried again as soon as somebody looks. */
  atOnce(): string[] {
    return this.#entries.flatMap(({ id }, i) =>
      this.#published[i]!.includes(false) && this.#retryInMs[i] === null ? [id] : [],
    );
  }

  /** Two statements at most. */
  async settle(outbox: Outbox): Promise<void> {
    const whole = this.whole();
    const parts = this.#parts();
    if (whole.length > 0) await outbox.remove(whole);
    if (parts.length > 0) await outbox.settle(parts);
  }

  /** Ids of rows of which nothing is left. */
  whole(): string[] {
    return this.#entries.flatMap(({ id }, i) => (this.#published[i]!.includes(false) ? [] : [id]));
  }

  /** What is new of the others. */
  #parts(): Settlement[] {
    return this.#entries.flatMap(({ id, published: before }, i) => {
      const published = this.#published[i]!.map((isPublished) => (isPublished ? '1' : '0')).join('');
      if (!published.includes('0')) return [];
      const retryInMs = this.#retryInMs[i] ?? null;
      const isNew = published.includes('1') && published !== before;
      const isRefused = this.#isRefused[i] ?? null;
      return isNew || retryInMs !== null ? [{ id, published, retryInMs, isRefused }] : [];
    });
  }
}

/**
 * A message without an answer may be with Kafka, or on its way: it comes again when the client has given it up, after ten seconds,
 * and then after as long as the row is old, within bounds: what nobody can publish for hours is not tried at every look.
 */
const UNKNOWN_MS = { atLeast: 15_000, atMost: 60_000 };
/** A broker that is just coming back may refuse a message and yet take it soon. */
const REFUSED_MS = { atLeast: 10_000, atMost: 60_000 };

/** When it may be tried again; null: at once, since it was never sent. */
export function retryInMs({ status }: Delivery, ageMs: number): number | null {
  if (status !== 'unknown' && status !== 'refused') return null;
  const { atLeast, atMost } = status === 'unknown' ? UNKNOWN_MS : REFUSED_MS;
  return Math.min(Math.max(ageMs, atLeast), atMost);
}
