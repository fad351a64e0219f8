import type { WorkflowDefinition } from '../definition/workflow-definition.ts';
import type { Json, JsonObject } from '../engine/json.ts';
import type { Attempt, Run } from '../engine/state.ts';
import type { AuditRecord } from './audit.ts';

/** What the application needs of the outside. Each port is implemented by one driver. */

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
  readonly taskOf?: AgentName;
}

/** What one transaction has to publish: one outbox row. */
export interface OutboxEntry {
  readonly id: string;
  readonly messages: readonly OutgoingMessage[];
}

export interface Outbox {
  remove(ids: readonly string[]): Promise<void>;
}

export interface MessagePublisher {
  /** @throws when they are not all published within about a second. */
  publish(messages: readonly { topic: string; key: string; value: JsonObject }[]): Promise<void>;
}

/** A run under lock, with what stands beside the engine's view of it. */
export interface LockedRun {
  readonly run: Run;
  readonly versionId: string | null;
  readonly owner: string | null;
  /** `wf-<name>-<version>`. */
  readonly workflowId: string;
}

export interface AttemptQuery {
  /** Attempts by id. */
  readonly ids: readonly string[];
  /** Those of them whose input may be dispatched again. */
  readonly withInput: readonly string[];
  /** Runs of which every open attempt is needed. */
  readonly openOf: readonly string[];
  /** Runs of which the last attempt is needed. */
  readonly lastOf: readonly string[];
}

export interface DataQuery {
  readonly inputsOf: readonly string[];
  readonly variablesOf: readonly string[];
  readonly outputs: readonly { readonly runId: string; readonly stepId: string }[];
}

export interface RunData {
  readonly workflowInputs: ReadonlyMap<string, Json>;
  readonly variables: ReadonlyMap<string, Json>;
  /** By run, then by step. */
  readonly outputs: ReadonlyMap<string, ReadonlyMap<string, Json>>;
}

/** Where an agent's tasks go. */
export interface AgentRoute {
  readonly kind: 'http' | 'lambda' | 'kafka';
  /** The topic of a kafka agent. */
  readonly address: string;
}

export interface AgentName {
  readonly owner: string | null;
  readonly name: string;
}

export interface RunChange {
  readonly run: Run;
  readonly versionId: string | null;
}

/** A run that went a step further: nothing but its sequence is new. */
export interface RunAdvance {
  readonly runId: string;
  readonly sequence: number;
}

export interface AttemptOpened {
  readonly runId: string;
  readonly stepName: string;
  readonly agentName: string;
  readonly stepType: string;
  readonly attempt: Attempt;
}

export interface Changes {
  readonly advanced: readonly RunAdvance[];
  readonly changed: readonly RunChange[];
  readonly opened: readonly AttemptOpened[];
  /** PENDING attempts that began, and tasks that were published once more. */
  readonly started: readonly Attempt[];
  readonly closed: readonly Attempt[];
  /** The calls that asked for all this. */
  readonly audited: readonly AuditRecord[];
}

/** One transaction over a batch of runs. Each method is one statement, whatever the batch's size. */
export interface RunTransaction {
  /** Locks in `run_id` order; runs that do not exist are absent. */
  lockRuns(runIds: readonly string[]): Promise<LockedRun[]>;
  /** Attempts by run. */
  loadAttempts(query: AttemptQuery): Promise<ReadonlyMap<string, Attempt[]>>;
  loadData(query: DataQuery): Promise<RunData>;
  loadVersions(
    versionIds: readonly string[],
  ): Promise<ReadonlyMap<string, { definition: WorkflowDefinition }>>;
  /** The routes of agents in the table, owner's own before everybody's, by `agentKey`. */
  loadAgentRoutes(names: readonly AgentName[]): Promise<ReadonlyMap<string, AgentRoute>>;
  /** Stores plans that came inline, each once, and returns their versions' ids in the same order. Two statements. */
  storeInlinePlans(definitions: readonly JsonObject[]): Promise<string[]>;
  /** One statement. Need not be awaited: the commit fails where it does. @throws StaleDecisionError when a row is not as it was loaded. */
  save(changes: Changes, outbox: OutboxEntry): Promise<void>;
}

export interface RunStore {
  /** Commits when `work` resolves. @throws ValueRefused, TransactionConflict, DatabaseUnavailable by their `code`. */
  transaction<T>(work: (transaction: RunTransaction) => Promise<T>): Promise<T>;
}

export function agentKey({ owner, name }: AgentName): string {
  return JSON.stringify([owner, name]);
}

/** A registry of agents beside the table (`AGENT_REGISTRY_URL`). */
export interface AgentRegistry {
  /** What is known without asking: the route, null for no such agent, undefined where it must be looked up. */
  known(name: string): AgentRoute | null | undefined;
  /** Asks for the names; never throws. */
  lookUp(names: readonly string[]): Promise<void>;
}

export interface ResultTokens {
  resultToken(stepExecutionId: string): string;
}
