import type { AgentRegistry } from '../agents/agent-registry.ts';
import { createAgentRegistry } from '../agents/registry.ts';
import type { Environment } from '../config/environment.ts';

/** Who is asked for agents that are not registered here; null where the deployment names nobody. */
export function connectAgentRegistry(
  { agentRegistryUrl: url }: Pick<Environment, 'agentRegistryUrl'>,
  clock: () => number,
): AgentRegistry | null {
  return url === null ? null : createAgentRegistry({ url, clock });
}
