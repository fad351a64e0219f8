/** The time of an agent that reads its own topic: nobody between keeps it, as a bridge does. */
export interface AgentClock {
  readonly runId: string;
  readonly stepExecutionId: string;
  /** From now. */
  readonly timeoutMs: number;
}

export interface AgentClocks {
  /** One statement. Attempts that are settled by now stay as they are. */
  start(clocks: readonly AgentClock[]): Promise<unknown>;
}

/** Where an agent's tasks go. */
export interface AgentRoute {
  readonly kind: 'http' | 'lambda' | 'kafka';
  /** The topic of a kafka agent. */
  readonly address: string;
  /** How long the agent may take where its step does not say; null: the deployment's default. */
  readonly timeoutSeconds: number | null;
  /** Absent where it is not the table that tells the route. */
  readonly calling?: AgentCalling;
}

/** What a call of an agent needs beside its route, and how quick it was for whoever called it last. */
export interface AgentCalling {
  /** Null: it is everybody's. */
  readonly owner: string | null;
  readonly secretEncrypted: Buffer | null;
  /** That it was before, while both sign. */
  readonly previousSecretEncrypted: Buffer | null;
  /** Null: nobody has called it. */
  readonly speed: { readonly addressHash: Buffer; readonly averageMs: number; readonly ageMs: number } | null;
}

export interface AgentName {
  readonly owner: string | null;
  readonly name: string;
}

export function agentKey({ owner, name }: AgentName): string {
  return JSON.stringify([owner, name]);
}

/** A registry of agents beside the table (`AGENT_REGISTRY_URL`). */
export interface AgentRegistry {
  /** What is known without waiting: the route, null for no such agent, undefined where it must be looked up. */
  known(name: string): AgentRoute | null | undefined;
  /** Asks for the names, and waits so long at most, less where it does not answer these days; never throws. */
  lookUp(names: readonly string[], patienceMs: number): Promise<void>;
}

export interface ResultTokens {
  resultToken(stepExecutionId: string): string;
}
