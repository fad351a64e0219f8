import {
  type OpenAgentBridge,
  type OpenOptions,
  openAgentBridge,
} from '../../shared/agent-bridge/open-agent-bridge.ts';
import { createAddressGuard } from '../../shared/agents/address-guard.ts';
import { createHttpAgentCaller } from '../../shared/agents/call-http-agent.ts';
import type { Environment } from '../../shared/config/environment.ts';

/** The bridge to HTTP agents, on real sockets. */
export function openHttpBridge(environment: Environment, options: OpenOptions): OpenAgentBridge {
  const guard = createAddressGuard(environment.agentAllowedCidrs);
  const caller = createHttpAgentCaller({ guard, clock: Date.now });
  return openAgentBridge(environment, 'http', caller, options);
}
