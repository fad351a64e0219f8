import type { Delivery, MessagePublisher, OutboxEntry } from '../../shared/application/ports/publishing.ts';
import { type BrokerModel, CLIENT_MS, type Message } from './broker-model.ts';

/**
 * What those who publish know, and have lived to note: what was acknowledged is not published again, and what was not answered for
 * not while the client may still be at it.
 */
export class PublishingWatch {
  readonly #broker: BrokerModel;
  readonly #now: () => number;
  readonly #acknowledged = new Set<string>();
  readonly #unknownSince = new Map<string, number>();
  readonly #excused = new Set<string>();
  /** Rows of which all is published, and which are still there. */
  readonly #putOff = new Set<string>();
  /** Sees every message as a producer is given it. */
  onSent: (message: Message) => void = () => {};
  /** What was published whole is published once more. */
  onRepeated: () => void = () => {};
  /** What was found, for whoever looks next: what publishing throws is caught. */
  found: Error | null = null;

  constructor(broker: BrokerModel, now: () => number) {
    this.#broker = broker;
    this.#now = now;
  }

  fail(what: string): void {
    this.found ??= new Error(what);
  }

  /** It need not be published any more. */
  excuse({ value }: Pick<Message, 'value'>): void {
    this.#excused.add(textOf({ value }));
  }

  /** They may be published once more until they are removed. */
  putOff(ids: readonly string[]): void {
    for (const id of ids) this.#putOff.add(id);
  }

  removed(ids: readonly string[]): void {
    for (const id of ids) this.#putOff.delete(id);
  }

  /** @param text as `JSON.stringify` writes a message's value, without its deadline */
  isExcused(text: string): boolean {
    return this.#excused.has(text);
  }

  /** @param publish some of the entries' messages; what rejects has noted nothing */
  async during<Result>(
    entries: readonly OutboxEntry[],
    publish: (publisher: MessagePublisher) => Promise<Result>,
  ): Promise<Result> {
    // Two decisions of one moment may ask for the same: each in its own row.
    const rows = new Map<string, string>();
    const putOff = new Set<string>();
    for (const { id, messages } of entries)
      for (const text of new Set(messages.map(textOf))) {
        rows.set(text, `${rows.get(text) ?? ''} ${id}`);
        if (this.#putOff.has(id)) putOff.add(text);
      }
    const nameOf = (message: Message) => `${rows.get(textOf(message))} ${textOf(message)}`;
    if (putOff.size > 0) this.onRepeated();
    const sent: { message: Message; delivery: Delivery }[] = [];
    const result = await publish({
      send: async (messages) => {
        for (const message of messages) {
          if (!putOff.has(textOf(message))) this.#check(nameOf(message));
          this.onSent(message);
        }
        const publishing = this.#broker.send(messages);
        for (const [i, message] of messages.entries())
          sent.push({ message, delivery: publishing.deliveries[i]! });
        return publishing;
      },
    });
    for (const { message, delivery } of sent) {
      if (delivery.status === 'acknowledged') this.#acknowledged.add(nameOf(message));
      // Its attempt may have been ended for that.
      if (delivery.status === 'refused' && message.value.message_type === 'agent_task') this.excuse(message);
      if (delivery.status === 'unknown') this.#unknownSince.set(nameOf(message), this.#now());
    }
    return result;
  }

  #check(name: string): void {
    if (this.#acknowledged.has(name)) this.fail(`It was acknowledged and is published again: ${name}`);
    const since = this.#unknownSince.get(name);
    if (since !== undefined && this.#now() < since + CLIENT_MS)
      this.fail(`It may be on its way still and is published again: ${name}`);
  }
}

/** Without what is told at publishing only. */
function textOf({ value: { workflow_plan: _, deadline: __, ...value } }: Pick<Message, 'value'>): string {
  return JSON.stringify(value);
}
