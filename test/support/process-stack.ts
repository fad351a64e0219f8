import { fileURLToPath } from 'node:url';
import { type RunningStack, startStack } from '../../localstack/stack.ts';
import { type BatchSizes, eventSourcesOf } from '../../shared/config/event-sources.ts';
import { openRunWorld, type RunWorld, type WorldOptions } from './run-world.ts';
import { startAgain } from './start-again.ts';

export interface ProcessStackOptions extends WorldOptions {
  readonly batchSizes?: BatchSizes;
  /** Instead of the deployed function's: the module that exports its `handler`. */
  readonly stepExecutorEntry?: string;
  /** How often the schedule invokes the timekeeper, which looks for as long; a minute, as deployed, by default. */
  readonly timekeeperRateMs?: number;
}

/** An invocation of the timekeeper looks until so long before its timeout. */
const TIMEKEEPER_MARGIN_MS = 5_000;

/** The functions that carry a run, each in processes of its own that a test may kill. */
export interface ProcessStack extends RunWorld {
  readonly stack: RunningStack;
  /** Of the function's processes. */
  pidsOf(functionName: string): number[];
}

export function startProcessStack(options: ProcessStackOptions): Promise<ProcessStack> {
  return startAgain(() => startOnce(options));
}

async function startOnce(options: ProcessStackOptions): Promise<ProcessStack> {
  const world = await openRunWorld(options);
  const { environment, port } = world;
  const env = { ...world.variables, NODE_OPTIONS: '--disable-warning=TimeoutNegativeWarning' };
  const rateMs = options.timekeeperRateMs ?? 60_000;
  const fn = (name: string, timeoutMs: number, entry = deployedEntry(name)) => ({
    name,
    entry,
    env,
    timeoutMs,
  });
  // Where the test's agents are, and, once they run, the stack's functions too.
  const lambdaBridge = {
    ...fn('lambda-bridge', 840_000),
    maxConcurrency: 24,
    env: { ...env, AWS_ENDPOINT_URL_LAMBDA: world.lambda.url },
  };
  const stack = await startStack({
    kafkaBrokers: environment.kafkaBrokers.join(','),
    functions: [
      fn('api', 29_000),
      fn('step-executor', 60_000, options.stepExecutorEntry),
      { ...fn('http-bridge', 840_000), maxConcurrency: 24 },
      lambdaBridge,
      fn('timekeeper', rateMs + TIMEKEEPER_MARGIN_MS),
    ],
    mappings: eventSourcesOf(environment.topics, environment.kafkaGroupId, options.batchSizes),
    schedules: [{ functionName: 'timekeeper', rateMs }],
    api: { functionName: 'api', port },
    mappingTuning: { retryBackoffMs: { first: 20, longest: 200 } },
  });
  for (const [name, each] of stack.functions) world.lambda.functions.set(name, each);
  return {
    ...world,
    stack,
    pidsOf: (functionName) => stack.functions.get(functionName)?.pids() ?? [],
    async close() {
      await stack.stop();
      await world.close();
    },
  };
}

function deployedEntry(name: string): string {
  return fileURLToPath(new URL(`../../functions/${name}/index.ts`, import.meta.url));
}
