import type { AgentKind, RegisteredAgent } from '../../../shared/application/manage-agents.ts';

/** The field that says where an agent of each kind is. */
export const addressField = { http: 'url', lambda: 'function_arn', kafka: 'topic' } as const satisfies Record<
  AgentKind,
  string
>;

export function presentAgent(agent: RegisteredAgent, secret: string | null = null) {
  const { id, owner, name, kind, address, timeoutSeconds, createdAt, updatedAt } = agent;
  return {
    id,
    name,
    kind,
    [addressField[kind]]: address,
    timeout_seconds: timeoutSeconds,
    owner,
    ...(secret !== null && { secret }),
    created_at: createdAt.toISOString(),
    updated_at: updatedAt.toISOString(),
  };
}
