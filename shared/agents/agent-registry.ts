import type { Agent } from './agent.ts';

export type RegistryLookup =
  | { readonly status: 'found'; readonly agent: Agent }
  | { readonly status: 'unknown' }
  /** It did not answer, or not as it should. The same question may be answered later. */
  | { readonly status: 'unavailable'; readonly message: string; readonly retryAfterMs?: number };

/** The registry at AGENT_REGISTRY_URL: agents that are not in our table, and everybody's. */
export interface AgentRegistry {
  /** What is known, else what it answers; that may take its whole timeout. Never rejects. */
  lookup(agentName: string): Promise<RegistryLookup>;
  /** What is known without waiting: the agent, null for no such agent, undefined where it must be looked up. */
  known(agentName: string): Agent | null | undefined;
  /**
   * Asks for all of them, so that `known` knows, and waits so long at most: not at all where it took longer the last time, or is
   * taking longer. Never rejects.
   */
  lookUp(agentNames: readonly string[], patienceMs: number): Promise<void>;
}
