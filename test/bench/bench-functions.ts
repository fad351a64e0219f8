import { openHttpBridge } from '../../functions/http-bridge/open-http-bridge.ts';
import { openStepExecutor } from '../../functions/step-executor/open-step-executor.ts';
import { EventSourceMapping } from '../../localstack/event-source/event-source-mapping.ts';
import { inProcessFunction, type LambdaHandler } from '../../localstack/in-process-function.ts';
import type { Invoker } from '../../localstack/invocation.ts';
import type { Environment } from '../../shared/config/environment.ts';
import { defaultBatchSizes, eventSourcesOf } from '../../shared/config/event-sources.ts';
import type { MskEvent } from '../../shared/kafka/msk-event.ts';
import { startTimekeeper } from '../support/start-timekeeper.ts';
import type { EndedRuns } from './ended-runs.ts';

interface FunctionsOptions {
  /** Records of one invocation of the step-executor. */
  readonly batchSize: number;
  readonly ended: EndedRuns;
}

export interface RunningFunctions {
  /** Held mappings leave their records in Kafka. */
  hold(held: boolean): void;
  stop(): Promise<void>;
}

/** As the deployed one looks. */
const LOOK_EVERY_MS = 500;

/** What carries a run, in this process, as a deployment has it: an environment for each invocation that is under way. */
export async function startFunctions(
  environment: Environment,
  { batchSize, ended }: FunctionsOptions,
): Promise<RunningFunctions> {
  const { topics, kafkaGroupId } = environment;
  const closers: (() => Promise<unknown>)[] = [];
  const executor = inProcessFunction({
    functionName: 'step-executor',
    createHandler: () => {
      const { handler, close } = openStepExecutor(environment, {
        watch: ended.watch,
        log: { debug: () => {}, warn: console.error, error: console.error },
      });
      closers.push(close);
      return handler as LambdaHandler;
    },
  });
  const httpBridge = inProcessFunction({
    functionName: 'http-bridge',
    createHandler: () => {
      const { bridge, close } = openHttpBridge(environment, { functionName: null, warn: console.error });
      closers.push(close);
      const handler = (event: MskEvent, context: { getRemainingTimeInMillis(): number }) =>
        bridge.handleRecords(event, { remainingMs: () => context.getRemainingTimeInMillis() });
      return handler as LambdaHandler;
    },
  });
  const invokers: Record<string, Invoker> = { 'step-executor': executor, 'http-bridge': httpBridge };
  // Nobody cancels here, and no agent is a Lambda.
  const { executionRequests, stepRequests, results, httpTasks } = topics;
  const used = new Set([executionRequests, stepRequests, results, httpTasks]);
  const sizes = {
    stepBatchSize: batchSize,
    bridgeBatchSize: Math.max(batchSize, defaultBatchSizes.bridgeBatchSize),
  };
  const mappings = eventSourcesOf(topics, kafkaGroupId, sizes)
    .filter(({ topic }) => used.has(topic))
    .map(
      (settings) =>
        new EventSourceMapping({
          brokers: environment.kafkaBrokers,
          invoker: invokers[settings.functionName] as Invoker,
          settings,
        }),
    );
  await Promise.all(mappings.map((one) => one.start()));
  const stopTimekeeper = startTimekeeper(environment, LOOK_EVERY_MS);
  return {
    hold(held) {
      for (const one of mappings) one.paused = held;
    },
    async stop() {
      await Promise.all([...mappings.map((one) => one.stop()), stopTimekeeper()]);
      await Promise.all(closers.map((close) => close()));
    },
  };
}
