import type { AgentRoute } from './ports/agents.ts';
import type { Delivery, MessagePublisher, Outbox, OutboxEntry } from './ports/publishing.ts';
import { PublishingRecord, retryInMs, type ToPublish } from './publishing-record.ts';
import type { RouteTasks } from './route-tasks.ts';

export interface PublishDeps {
  readonly publisher: MessagePublisher;
  readonly outbox: Outbox;
}

export type Published = { readonly ok: true } | { readonly ok: false; readonly reason: string };

/** Publishes what a transaction committed. What Kafka has is noted in the rows; what it has not stays for the timekeeper (I5). */
export type PublishEntries = (entries: readonly OutboxEntry[]) => Promise<Published>;

export function createPublishEntries(deps: PublishDeps): PublishEntries {
  return async (entries) => {
    const record = new PublishingRecord(entries);
    const failure = await send(deps, record, record.left());
    await record.settle(deps.outbox).catch(leave);
    return failure === null ? { ok: true } : { ok: false, reason: failure };
  };
}

export interface PublishCommittedDeps extends PublishDeps {
  readonly routeTasks: RouteTasks;
}

/** Publishes a decision's messages. Never rejects. */
export type PublishCommitted = (entry: OutboxEntry, routes: ReadonlyMap<string, AgentRoute>) => Promise<void>;

/** So long do others' steps wait for a registry, once: where it is slower than that, nobody waits for it. */
const LOOK_UP_MS = 150;

export function createPublishCommitted(deps: PublishCommittedDeps): PublishCommitted {
  return async (entry, routes) => {
    const record = new PublishingRecord([entry]);
    await publishRouted(deps, record, record.left(), routes);
    await record.settle(deps.outbox).catch(leave);
  };
}

/**
 * What has its way goes at once. A task of an agent that a registry has to be asked for goes if that answers in a moment, and else is
 * left to the timekeeper, which has more patience: nobody's registry holds up another's steps. Never rejects.
 */
export async function publishRouted(
  { routeTasks, ...deps }: PublishCommittedDeps,
  record: PublishingRecord,
  messages: readonly ToPublish[],
  routes: ReadonlyMap<string, AgentRoute>,
): Promise<void> {
  const { ready, lacking } = routeTasks.route(messages, routes);
  const sendLacking = async () => {
    if (lacking.length === 0) return;
    await routeTasks.ask(lacking, LOOK_UP_MS);
    await send(deps, record, routeTasks.route(lacking, routes).ready);
  };
  await Promise.all([send(deps, record, ready), sendLacking()]);
}

/** Published: a row that stays because this could not be noted is a duplicate to come, no loss. */
export const leave = () => {};

function send(
  deps: PublishDeps,
  record: PublishingRecord,
  messages: readonly ToPublish[],
): Promise<string | null> | null {
  return messages.length === 0 ? null : publishTogether(deps, [{ record, messages }]);
}

/** Messages of some entries that are published at once. */
export interface Part {
  readonly record: PublishingRecord;
  readonly messages: readonly ToPublish[];
}

/** What has its way. Never rejects. @returns why some of it is not published; null: all is. */
export async function publishTogether(
  { publisher, outbox }: PublishDeps,
  parts: readonly Part[],
): Promise<string | null> {
  const all = parts.flatMap(({ messages }) => messages.map(({ message }) => message));
  const { deliveries, late } = await publisher.send(all);
  const failures = eachOf(parts, deliveries, ({ record, messages }, found) =>
    record.add(messages, found, (delivery) =>
      // What was refused, or not sent, is the timekeeper's as soon as it looks.
      delivery.status === 'unknown' ? retryInMs(delivery, 0) : null,
    ),
  );
  void late?.then((inTheEnd) =>
    eachOf(parts, inTheEnd, ({ record, messages }, found) =>
      record.ofLate(messages, found).settle(outbox).catch(leave),
    ),
  );
  return failures.find((failure) => failure !== null) ?? null;
}

function eachOf<Result>(
  parts: readonly Part[],
  deliveries: readonly Delivery[],
  work: (part: Part, found: readonly Delivery[]) => Result,
): Result[] {
  let begin = 0;
  return parts.map((part) => {
    const end = begin + part.messages.length;
    const found = deliveries.slice(begin, end);
    begin = end;
    return work(part, found);
  });
}
