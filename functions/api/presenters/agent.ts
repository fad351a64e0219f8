import type { AgentDetails, AgentKind, RegisteredAgent } from '../../../shared/application/manage-agents.ts';

/** The field that says where an agent of each kind is. */
export const addressField = { http: 'url', lambda: 'function_arn', kafka: 'topic' } as const satisfies Record<
  AgentKind,
  string
>;

export function presentAgent(agent: AgentDetails, secret: string | null = null) {
  const { created_at, updated_at, ...listed } = presentListedAgent(agent);
  return {
    ...listed,
    example_output: agent.exampleOutput,
    ...(secret !== null && { secret }),
    created_at,
    updated_at,
  };
}

export function presentListedAgent(agent: RegisteredAgent) {
  const { id, owner, name, kind, address, timeoutSeconds, createdAt, updatedAt } = agent;
  return {
    id,
    name,
    kind,
    [addressField[kind]]: address,
    timeout_seconds: timeoutSeconds,
    owner,
    created_at: createdAt.toISOString(),
    updated_at: updatedAt.toISOString(),
  };
}
