import type { LambdaClientConfig } from '@aws-sdk/client-lambda';
import { inProcessFunction } from '../../localstack/in-process-function.ts';
import type { Invoker } from '../../localstack/invocation.ts';
import { startLambdaApi } from '../../localstack/lambda-api.ts';
import type { AgentCall } from '../../shared/agents/agent-call.ts';

/** An invocation as an agent's function sees it. */
export type LambdaAgentEvent = AgentCall['body'] & { readonly idempotency_key: string };

/** What the function does: it returns its output, or throws. `count` is how many events with that key came, this one included. */
export type LambdaAgentBehaviour = (event: LambdaAgentEvent, count: number) => unknown;

export interface LambdaAgentSettings {
  /** The function's own. */
  readonly timeoutMs?: number;
  /** Beyond it invocations are throttled. */
  readonly reservedConcurrency?: number;
}

export interface TestLambda {
  readonly url: string;
  /** For the SDK in this process; other processes take `AWS_ENDPOINT_URL_LAMBDA`. */
  readonly client: Pick<LambdaClientConfig, 'endpoint' | 'region' | 'credentials'>;
  /** Those of the stack may be added, so that they invoke themselves here too. */
  readonly functions: Map<string, Invoker>;
  /** Without a behaviour a function answers its input. */
  add(agent: string, behaviour?: LambdaAgentBehaviour, settings?: LambdaAgentSettings): void;
  /** The events that came, oldest first. */
  eventsOf(agent: string): LambdaAgentEvent[];
  close(): Promise<void>;
}

/** Agents that are functions in this process, behind the local stack's Lambda API on a real socket. */
export async function startTestLambda(): Promise<TestLambda> {
  const functions = new Map<string, Invoker>();
  const events = new Map<string, LambdaAgentEvent[]>();
  const api = await startLambdaApi({ functions });
  const eventsOf = (agent: string) => events.get(agent) ?? [];
  return {
    url: api.url,
    client: {
      endpoint: api.url,
      region: 'us-east-1',
      credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    },
    functions,
    add(agent, behaviour = ({ input_data }) => input_data, { timeoutMs, reservedConcurrency } = {}) {
      const handler = async (event: LambdaAgentEvent) => {
        events.set(agent, [...eventsOf(agent), event]);
        const same = eventsOf(agent).filter(({ idempotency_key: key }) => key === event.idempotency_key);
        return behaviour(event, same.length);
      };
      functions.set(
        agent,
        inProcessFunction({
          functionName: agent,
          createHandler: () => handler,
          ...(timeoutMs !== undefined && { timeoutMs }),
          ...(reservedConcurrency !== undefined && { maxConcurrency: reservedConcurrency, throttles: true }),
        }),
      );
    },
    eventsOf,
    close: () => api.stop(),
  };
}
