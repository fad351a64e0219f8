import {
  type OpenAgentBridge,
  type OpenOptions,
  openAgentBridge,
} from '../../shared/agent-bridge/open-agent-bridge.ts';
import { createLambdaAgentCaller } from '../../shared/agents/call-lambda-agent.ts';
import type { Environment } from '../../shared/config/environment.ts';

/** The bridge to agents that are Lambda functions. Where Lambda is and with which rights, the SDK takes from the environment. */
export function openLambdaBridge(environment: Environment, options: OpenOptions): OpenAgentBridge {
  const caller = createLambdaAgentCaller({ clock: Date.now, warn: options.warn });
  return openAgentBridge(environment, 'lambda', caller, options);
}
