import { createAgentGuards } from '../agents/agent-guards.ts';
import { type CheckAddress, createCheckAddress } from '../agents/agent-rules.ts';
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
