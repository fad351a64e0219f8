import { type AddressGuard, createAddressGuard } from './address-guard.ts';
import type { Agent } from './agent.ts';

/**
 * Where agents may be. Whoever registers an agent decides where the bridge connects to, so a private address is for those to allow who
 * know what answers there: the operator's ranges are for the agents of admins and of the registry, and a user's own have public
 * addresses, unless the operator opens a range to them as well.
 */
export interface AgentGuards {
  readonly everybodys: AddressGuard;
  readonly own: AddressGuard;
}

export interface AllowedRanges {
  /** AGENT_ALLOWED_CIDRS */
  readonly agentAllowedCidrs: readonly string[];
  /** USER_AGENT_ALLOWED_CIDRS */
  readonly userAgentAllowedCidrs: readonly string[];
}

/** @throws BadCidrError naming the variable and the entry. */
export function createAgentGuards({ agentAllowedCidrs, userAgentAllowedCidrs }: AllowedRanges): AgentGuards {
  return {
    everybodys: createAddressGuard(agentAllowedCidrs, 'AGENT_ALLOWED_CIDRS'),
    own: createAddressGuard(userAgentAllowedCidrs, 'USER_AGENT_ALLOWED_CIDRS'),
  };
}

export function guardOf(guards: AgentGuards, { owner }: Pick<Agent, 'owner'>): AddressGuard {
  return owner === null ? guards.everybodys : guards.own;
}
