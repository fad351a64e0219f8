import type { AgentCall } from '../agents/agent-call.ts';
import type { RegistryLookup } from '../agents/agent-registry.ts';
import type { CheckAddress } from '../agents/agent-rules.ts';
import type { CallOutcome } from '../agents/call-outcome.ts';
import type { Tokens } from '../agents/tokens.ts';
import type { AgentKind } from '../application/manage-agents.ts';
import type { Topics } from '../config/topics.ts';
import type { OutgoingRecord } from '../kafka/producer.ts';
import type { AgentTask } from '../messages/messages.ts';
import type { AgentSpeed, AttemptCall, DeadlineExtension } from '../persistence/agent-calls.ts';
import type { CountDeadLetters } from '../persistence/dead-letter-counts.ts';

/** Agents that do not speak Kafka themselves. */
export type BridgedKind = Exclude<AgentKind, 'kafka'>;

/** What a bridge needs of the outside. */
export interface AgentBridgePorts {
  /** Of the agents that it calls. */
  readonly kind: BridgedKind;
  readonly topics: Pick<Topics, 'results' | 'deadLetter'>;
  readonly publish: (records: readonly OutgoingRecord[]) => Promise<void>;
  readonly loadCalls: (stepExecutionIds: readonly string[]) => Promise<ReadonlyMap<string, AttemptCall>>;
  readonly saveSpeeds: (speeds: readonly AgentSpeed[]) => Promise<unknown>;
  readonly countDeadLetters: CountDeadLetters;
  readonly extendDeadlines: (extensions: readonly DeadlineExtension[]) => Promise<unknown>;
  /** Never rejects. */
  readonly callAgent: (call: AgentCall) => Promise<CallOutcome>;
  /** Null: there is no registry. Never rejects. */
  readonly lookupRegistry: ((agentName: string) => Promise<RegistryLookup>) | null;
  /** What is wrong with where an agent is, or null. */
  readonly checkAddress: CheckAddress;
  /** Decrypts what the table holds. */
  readonly readSecret: (encrypted: Buffer) => string;
  /** An asynchronous invocation of this function. Null: every call is made where its task arrived. */
  readonly invokeSelf: ((handed: HandedTasks) => Promise<void>) | null;
  readonly tokens: Pick<Tokens, 'callbackToken' | 'verifyResultToken'>;
  /** Where agents reach the API, without a trailing slash. */
  readonly publicUrl: string;
  /** Epoch milliseconds. */
  readonly clock: () => number;
  readonly warn: (message: string, details: Record<string, unknown>) => void;
}

/** The invocation that the work is done in. */
export interface Invocation {
  /** How long until it is ended, whatever it is doing. */
  readonly remainingMs: () => number;
}

/** The payload of an invocation of the bridge by itself. */
export interface HandedTasks {
  readonly handed_tasks: readonly AgentTask[];
}
