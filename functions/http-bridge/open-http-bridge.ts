import {
  type OpenAgentBridge,
  type OpenOptions,
  openAgentBridge,
} from '../../shared/agent-bridge/open-agent-bridge.ts';
import { createAgentGuards } from '../../shared/agents/agent-guards.ts';
import { createHttpAgentCaller } from '../../shared/agents/call-http-agent.ts';
import type { Environment } from '../../shared/config/environment.ts';

/** The bridge to HTTP agents, on real sockets. */
export function openHttpBridge(environment: Environment, options: OpenOptions): OpenAgentBridge {
  const caller = createHttpAgentCaller({ guards: createAgentGuards(environment), clock: Date.now });
  return openAgentBridge(environment, 'http', caller, options);
}
