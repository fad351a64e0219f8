import { setTimeout as sleep } from 'node:timers/promises';
import { createApi } from '../../functions/api/create-api.ts';
import { createApiServices } from '../../functions/api/create-api-services.ts';
import { openHttpBridge } from '../../functions/http-bridge/open-http-bridge.ts';
import { openStepExecutor } from '../../functions/step-executor/open-step-executor.ts';
import { type FireDueTimesDeps, fireDueTimes } from '../../functions/timekeeper/fire-due-times.ts';
import { createKnownProgress } from '../../functions/timekeeper/known-progress.ts';
import { Pace } from '../../functions/timekeeper/pace.ts';
import {
  type PublishLeftBehindDeps,
  publishLeftBehind,
} from '../../functions/timekeeper/publish-left-behind.ts';
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
import { readProgress } from '../../shared/kafka/read-progress.ts';
import { createDueTimes } from '../../shared/persistence/due-times.ts';
import { openRunWorld, type RunWorld, type WorldOptions } from './run-world.ts';
import { startAgain } from './start-again.ts';

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

const LOOK_EVERY_MS = 100;

export function startRunStack(options: RunStackOptions): Promise<RunStack> {
  return startAgain(() => startOnce(options));
}

async function startOnce(options: RunStackOptions): Promise<RunStack> {
  const world = await openRunWorld(options);
  const { environment } = world;
  const { topics, kafkaGroupId } = environment;
  const closers: (() => Promise<unknown>)[] = [];

  const servicesOf = (name: string) => {
    const services = createEngineServices(environment, name);
    closers.push(services.close);
    return services;
  };
  const api = servicesOf('api');
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
  const clock = () => performance.now();
  const { kafkaBrokers: brokers } = environment;
  const asking = eventSourcesOf(topics, kafkaGroupId).map(({ topic, consumerGroupId: groupId }) => ({
    topic,
    groupId,
  }));
  const timekeepers = Array.from({ length: options.timekeepers ?? 1 }, () => {
    const { database, producer, routeTasks } = servicesOf('timekeeper');
    return startTimekeeper({
      database,
      producer,
      routeTasks,
      dueTimes: createDueTimes(database),
      topics,
      pace: new Pace(),
      readProgress: createKnownProgress({
        read: () => readProgress({ brokers, clientId: 'timekeeper' }, asking, Date.now(), 5_000),
        warn: () => {},
        clock,
      }),
      clock,
    });
  });

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

/** The timekeeper's looks, more often than it is deployed with. */
function startTimekeeper(deps: FireDueTimesDeps & PublishLeftBehindDeps): () => Promise<void> {
  let stopped = false;
  const looking = (async () => {
    while (!stopped) {
      for (const look of [fireDueTimes, publishLeftBehind]) await look(deps).catch(() => {});
      await sleep(LOOK_EVERY_MS);
    }
  })();
  return async () => {
    stopped = true;
    await looking;
  };
}
