import type { HttpAgentCall } from '../../shared/agents/call-http-agent.ts';
import type { CallOutcome } from '../../shared/agents/call-outcome.ts';
import type { RegistryLookup } from '../../shared/agents/registry.ts';
import type { Tokens } from '../../shared/agents/tokens.ts';
import type { Topics } from '../../shared/config/topics.ts';
import type { OutgoingRecord } from '../../shared/kafka/producer.ts';
import type { AgentTask } from '../../shared/messages/messages.ts';
import type { AttemptCall, DeadlineExtension } from '../../shared/persistence/agent-calls.ts';
import type { CountDeadLetters } from '../../shared/persistence/dead-letter-counts.ts';

/** What the bridge needs of the outside. */
export interface HttpBridgePorts {
  readonly topics: Pick<Topics, 'results' | 'deadLetter'>;
  readonly publish: (records: readonly OutgoingRecord[]) => Promise<void>;
  readonly loadCalls: (stepExecutionIds: readonly string[]) => Promise<ReadonlyMap<string, AttemptCall>>;
  readonly countDeadLetters: CountDeadLetters;
  readonly extendDeadlines: (extensions: readonly DeadlineExtension[]) => Promise<unknown>;
  /** Never rejects. */
  readonly callAgent: (call: HttpAgentCall) => Promise<CallOutcome>;
  /** Null: there is no registry. Never rejects. */
  readonly lookupRegistry: ((agentName: string) => Promise<RegistryLookup>) | null;
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
