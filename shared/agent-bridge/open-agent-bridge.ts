import type { AgentCaller } from '../agents/agent-call.ts';
import { createSecretReader } from '../agents/secrets.ts';
import { createTokens } from '../agents/tokens.ts';
import { checkAddressOf, connectAgentRegistry } from '../composition/agent-services.ts';
import { connectDatabase, connectProducer } from '../composition/connections.ts';
import type { Environment } from '../config/environment.ts';
import { createAgentCalls } from '../persistence/agent-calls.ts';
import { createCountDeadLetters } from '../persistence/dead-letter-counts.ts';
import { type AgentBridge, createAgentBridge } from './agent-bridge.ts';
import { createSelfInvoker } from './invoke-self.ts';
import type { AgentBridgePorts } from './ports.ts';

export interface OpenAgentBridge {
  readonly bridge: AgentBridge;
  close(): Promise<void>;
}

export interface OpenOptions {
  /** Null: every agent is called where its task arrived. */
  readonly functionName: string | null;
  readonly warn: AgentBridgePorts['warn'];
}

/** A bridge with its real database and broker, and what calls its kind of agents. They connect at the first use. */
export function openAgentBridge(
  environment: Environment,
  kind: AgentBridgePorts['kind'],
  caller: AgentCaller,
  { functionName, warn }: OpenOptions,
): OpenAgentBridge {
  const { secretKey } = environment;
  const clock = Date.now;
  const database = connectDatabase(environment);
  const producer = connectProducer(environment, environment.topics, `stepline-${kind}-bridge`);
  const registry = connectAgentRegistry(environment, clock);
  const bridge = createAgentBridge({
    kind,
    topics: environment.topics,
    publish: producer.publish,
    ...createAgentCalls(database),
    countDeadLetters: createCountDeadLetters(database),
    callAgent: caller.call,
    lookupRegistry: registry?.lookup ?? null,
    checkAddress: checkAddressOf(environment),
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
