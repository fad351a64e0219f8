import { createAgentGuards } from '../agents/agent-guards.ts';
import type { AgentRegistry } from '../agents/agent-registry.ts';
import { type CheckAddress, createCheckAddress } from '../agents/agent-rules.ts';
import { createAgentRegistry } from '../agents/registry.ts';
import type { Environment } from '../config/environment.ts';
import { ownFunctionsOf } from '../config/own-functions.ts';

/** Where agents of this deployment may be: for whoever registers them, and for whoever calls them. */
export function checkAddressOf(
  environment: Pick<Environment, 'agentAllowedCidrs' | 'userAgentAllowedCidrs' | 'topics' | 'functionName'>,
): CheckAddress {
  const { topics, functionName } = environment;
  return createCheckAddress({
    guards: createAgentGuards(environment),
    topics,
    ownFunctions: ownFunctionsOf(functionName),
  });
}

/** Who is asked for agents that are not registered here; null where the deployment names nobody. */
export function connectAgentRegistry(
  { agentRegistryUrl: url }: Pick<Environment, 'agentRegistryUrl'>,
  clock: () => number,
): AgentRegistry | null {
  return url === null ? null : createAgentRegistry({ url, clock });
}
