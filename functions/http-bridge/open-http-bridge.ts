import { createAddressGuard } from '../../shared/agents/address-guard.ts';
import { createHttpAgentCaller } from '../../shared/agents/call-http-agent.ts';
import { createAgentRegistry } from '../../shared/agents/registry.ts';
import { createSecretReader } from '../../shared/agents/secret-reader.ts';
import { createTokens } from '../../shared/agents/tokens.ts';
import { connectDatabase, connectProducer } from '../../shared/composition/connections.ts';
import type { Environment } from '../../shared/config/environment.ts';
import { createAgentCalls } from '../../shared/persistence/agent-calls.ts';
import { createHttpBridge, type HttpBridge } from './http-bridge.ts';
import { createSelfInvoker } from './invoke-self.ts';
import type { HttpBridgePorts } from './ports.ts';

export interface OpenHttpBridge {
  readonly bridge: HttpBridge;
  close(): Promise<void>;
}

export interface OpenOptions {
  /** Null: every agent is called where its task arrived. */
  readonly functionName: string | null;
  readonly warn: HttpBridgePorts['warn'];
}

/** The bridge with its real database, broker and sockets. They connect at the first use. */
export function openHttpBridge(
  environment: Environment,
  { functionName, warn }: OpenOptions,
): OpenHttpBridge {
  const { agentAllowedCidrs, agentRegistryUrl, secretKey } = environment;
  const clock = Date.now;
  const database = connectDatabase(environment);
  const producer = connectProducer(environment, 'stepline-http-bridge');
  const caller = createHttpAgentCaller({ guard: createAddressGuard(agentAllowedCidrs), clock });
  const registry = agentRegistryUrl === null ? null : createAgentRegistry({ url: agentRegistryUrl, clock });
  const bridge = createHttpBridge({
    topics: environment.topics,
    publish: producer.publish,
    ...createAgentCalls(database),
    callAgent: caller.call,
    lookupRegistry: registry?.lookup ?? null,
    readSecret: createSecretReader(secretKey),
    invokeSelf: functionName === null ? null : createSelfInvoker(functionName),
    tokens: createTokens(secretKey),
    publicUrl: environment.publicUrl,
    clock,
    warn,
  });
  return {
    bridge,
    async close() {
      await Promise.all([caller.close(), producer.close(), database.close()]);
    },
  };
}
