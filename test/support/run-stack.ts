import { createApi } from '../../functions/api/create-api.ts';
import { createApiServices } from '../../functions/api/create-api-services.ts';
import { openHttpBridge } from '../../functions/http-bridge/open-http-bridge.ts';
import { openStepExecutor } from '../../functions/step-executor/open-step-executor.ts';
import { startApiGateway } from '../../localstack/api-gateway/api-gateway.ts';
import { EventSourceMapping } from '../../localstack/event-source/event-source-mapping.ts';
import { inProcessFunction, type LambdaHandler } from '../../localstack/in-process-function.ts';
import type { InvocationContext, Invoker } from '../../localstack/invocation.ts';
import type { AgentBridge } from '../../shared/agent-bridge/agent-bridge.ts';
import { openAgentBridge } from '../../shared/agent-bridge/open-agent-bridge.ts';
import { createLambdaAgentCaller } from '../../shared/agents/call-lambda-agent.ts';
import { createEngineServices } from '../../shared/composition/engine-services.ts';
import { type BatchSizes, eventSourcesOf } from '../../shared/config/event-sources.ts';
import type { TopicName } from '../../shared/config/topics.ts';
import type { MskEvent } from '../../shared/kafka/msk-event.ts';
import { openRunWorld, type RunWorld, type WorldOptions } from './run-world.ts';
import { startAgain } from './start-again.ts';
import { startTimekeeper } from './start-timekeeper.ts';

export interface RunStackOptions extends WorldOptions {
  readonly batchSizes?: BatchSizes;
  /** How many look for due times side by side; one by default. */
  readonly timekeepers?: number;
}

/** The functions that carry a run, in this process, over real topics and tables. */
export interface RunStack extends RunWorld {
  /** A held topic keeps its records: nothing new of it is given to its function. */
  hold(topic: TopicName, held: boolean): void;
  startConsumers(): Promise<void>;
  stopConsumers(): Promise<void>;
}

/** The timekeeper's looks are more frequent than those of the deployed one. */
const LOOK_EVERY_MS = 100;

export function startRunStack(options: RunStackOptions): Promise<RunStack> {
  return startAgain(() => startOnce(options));
}

async function startOnce(options: RunStackOptions): Promise<RunStack> {
  const world = await openRunWorld(options);
  const { environment } = world;
  const { topics, kafkaGroupId } = environment;
  const closers: (() => Promise<unknown>)[] = [];

  const api = createEngineServices(environment, 'api');
  closers.push(api.close);
  const gateway = await startApiGateway({
    port: world.port,
    invoker: inProcessFunction({
      functionName: 'api',
      createHandler: () =>
        createApi(
          createApiServices(api, environment, { error: () => {} }, { write: () => {} }),
        ) as unknown as LambdaHandler,
    }),
  });
  const functions: Record<string, Invoker> = {
    'step-executor': inProcessFunction({
      functionName: 'step-executor',
      createHandler: () => {
        const log = { debug: () => {}, warn: () => {}, error: () => {} };
        const { handler, close } = openStepExecutor(environment, { log });
        closers.push(close);
        return handler as LambdaHandler;
      },
    }),
    'http-bridge': inProcessFunction({
      functionName: 'http-bridge',
      createHandler: () => {
        const { bridge, close } = openHttpBridge(environment, { functionName: null, warn: () => {} });
        closers.push(close);
        return handlerOf(bridge);
      },
    }),
    'lambda-bridge': inProcessFunction({
      functionName: 'lambda-bridge',
      createHandler: () => {
        const warn = () => {};
        const caller = createLambdaAgentCaller({ clock: Date.now, warn, client: world.lambda.client });
        const { bridge, close } = openAgentBridge(environment, 'lambda', caller, {
          functionName: null,
          warn,
        });
        closers.push(close);
        return handlerOf(bridge);
      },
    }),
  };

  const newMappings = () =>
    eventSourcesOf(topics, kafkaGroupId, options.batchSizes).map(
      (settings) =>
        new EventSourceMapping({
          brokers: environment.kafkaBrokers,
          invoker: functions[settings.functionName] as Invoker,
          settings,
          tuning: { retryBackoffMs: { first: 20, longest: 500 } },
        }),
    );
  let mappings = newMappings();
  const startConsumers = async () => {
    mappings = newMappings();
    await Promise.all(mappings.map((mapping) => mapping.start()));
  };
  const stopConsumers = async () => {
    await Promise.all(mappings.map((mapping) => mapping.stop()));
  };
  await startConsumers();
  const timekeepers = Array.from({ length: options.timekeepers ?? 1 }, () =>
    startTimekeeper(environment, LOOK_EVERY_MS),
  );

  const indexOfTopic = (topic: TopicName) =>
    eventSourcesOf(topics, kafkaGroupId).findIndex((source) => source.topic === topics[topic]);
  return {
    ...world,
    hold(topic, held) {
      const mapping = mappings[indexOfTopic(topic)];
      if (mapping === undefined) throw new Error(`Nothing consumes ${topic}`);
      mapping.paused = held;
    },
    startConsumers,
    stopConsumers,
    async close() {
      await Promise.all([gateway.stop(), stopConsumers(), ...timekeepers.map((stop) => stop())]);
      await Promise.all(closers.map((close) => close()));
      await world.close();
    },
  };
}

function handlerOf(bridge: AgentBridge): LambdaHandler {
  return (event: MskEvent, context: InvocationContext) =>
    bridge.handleRecords(event, { remainingMs: () => context.getRemainingTimeInMillis() });
}
