import type { JsonObject } from '../../engine/json.ts';
import type { AgentName } from './agents.ts';

export interface Clock {
  /** Epoch milliseconds. */
  now(): number;
}

/** A message that a decision causes: committed with it, published after it. */
export interface OutgoingMessage {
  /** Where it goes; a task of an agent that nobody knows goes there too. */
  readonly topic: string;
  readonly key: string;
  readonly value: JsonObject;
  /** The version whose plan is put in as `workflow_plan` at publishing, instead of being copied into each row. */
  readonly planOf?: string;
  /** The agent whose task it is: where that is registered at publishing decides the topic. */
  readonly taskOf?: TaskAgent;
  /** Of a task that goes to its agent's own topic: what the agent has from its publication on. */
  readonly agentTimeoutMs?: number;
}

export interface TaskAgent extends AgentName {
  /** What its step allows it; null: the step does not say. Absent: an earlier release has written it. */
  readonly timeoutMs?: number | null;
  /** What its workflow asks for; absent: it does not say. */
  readonly stepsPerInvocation?: number;
}

/** What one transaction has to publish: one outbox row. */
export interface OutboxEntry {
  readonly id: string;
  readonly messages: readonly OutgoingMessage[];
}

/** What is known of publishing a row of the outbox. */
export interface Settlement {
  readonly id: string;
  /** A `1` for each message that needs no publishing any more, a `0` for the others, in the entry's order. */
  readonly published: string;
  /** When what is left may be tried again at the soonest; null: that stays as it is. */
  readonly retryInMs: number | null;
  /** Whether something of what is left is refused, and that lasts; null: that is not known. */
  readonly isRefused: boolean | null;
}

export interface Outbox {
  /** Rows that are published whole. */
  remove(ids: readonly string[]): Promise<void>;
  /** Adds to what is known already, whoever found it out; a row of which nothing is left goes. One statement. */
  settle(settlements: readonly Settlement[]): Promise<void>;
}

/** What became of a message that was to be published. */
export type Delivery =
  | { readonly status: 'acknowledged' }
  /**
   * Kafka does not have it. `code` is Kafka's, as `UNKNOWN_TOPIC_OR_PARTITION`; where it lasts, it is the topic's or the message's own
   * trouble, and no passing one of the cluster.
   */
  | (Failed & { readonly status: 'refused'; readonly code: string; readonly isLasting: boolean })
  /** It was not sent: no broker was reached in time. */
  | (Failed & { readonly status: 'unsent' })
  /** It was sent, and no answer came in time: Kafka may have it, or may still come to have it. */
  | (Failed & { readonly status: 'unknown' });

interface Failed {
  /** For the run's owner: without names of brokers and roles. */
  readonly reason: string;
  /** For the log. */
  readonly cause?: unknown;
}

export interface Publishing {
  /** Of each message, in their order. */
  readonly deliveries: readonly Delivery[];
  /** Where some are unknown: what became of all of them in the end. Never rejects. */
  readonly late: Promise<readonly Delivery[]> | null;
}

export interface MessagePublisher {
  /** Takes about a second at most. Messages that fare differently have each their own delivery. Never rejects. */
  send(messages: readonly { topic: string; key: string; value: JsonObject }[]): Promise<Publishing>;
}
