import type { FunctionName } from '../../shared/config/own-functions.ts';
import type { TopicName } from '../../shared/config/topics.ts';

export type { FunctionName };

/** What a function gets and may do: nothing that is not here. Sizes have their reasons beside them. */
export interface FunctionProfile {
  readonly description: string;
  readonly memoryMb: number;
  readonly timeoutSeconds: number;
  /** Taken from the account's concurrency where `reservedConcurrency` is true; null shares what is left. */
  readonly reservedConcurrency: ReservedConcurrency;
  /** Null: it has nothing to do with the database. */
  readonly databaseUser: string | 'administrator' | null;
  /** Topics whose records it may write. `agents` are those of agents that speak Kafka. */
  readonly writes: readonly (TopicName | 'agents')[];
  readonly needs: readonly (
    | 'secretKey'
    | 'jwt'
    | 'agentRegistry'
    | 'runLimits'
    | 'quickCalls'
    | 'retention'
    | 'agentFunctions'
    | 'itself'
    | 'adminKey'
    | 'topicAdministration'
    | 'gauges'
    | 'consumerLag'
    | 'redrive'
  )[];
  /** Who it calls: agents may be at any address and port. */
  readonly reaches: 'services' | 'agents' | 'database';
  /** Of its minified modules, source maps apart: what a cold start reads, and what it loads when it needs it. */
  readonly bundleBudgetKib: number;
}

/** `perPartition`: as many as its mappings can invoke at once, and `spare` for what it is invoked for otherwise. */
export type ReservedConcurrency = number | { readonly perPartition: true; readonly spare: number } | null;

/** What a decision about a run may publish. */
const decisions = [
  'executionRequests',
  'cancellationRequests',
  'stepRequests',
  // A child's end is its parent's answer.
  'results',
  'httpTasks',
  'lambdaTasks',
  'monitoringUpdates',
  'agents',
] as const;

export const functionProfiles: Readonly<Record<FunctionName, FunctionProfile>> = {
  api: {
    description: 'The HTTP API',
    // Half a processor: below it the start of a cold environment takes more than a second.
    memoryMb: 1024,
    // API Gateway gives up after 29 seconds, the start of a cold environment included: the function's own answer comes before.
    timeoutSeconds: 28,
    // Each environment holds a connection to the proxy. A burst of requests must not take what steps need.
    reservedConcurrency: 200,
    databaseUser: 'stepline_api',
    writes: [...decisions],
    needs: ['secretKey', 'jwt', 'agentRegistry', 'runLimits', 'consumerLag'],
    reaches: 'services',
    bundleBudgetKib: 2_050,
  },
  'step-executor': {
    description: 'Settles a step, enters the next, and carries it out where its agent answers at once',
    // A batch of 100 large records, their rows and their agents' answers at once, at half a processor.
    memoryMb: 1024,
    // A batch takes tens of milliseconds, and its agents' patience, which is less than a second; what takes longer waits for a lock or
    // a server, and had better come again.
    timeoutSeconds: 60,
    reservedConcurrency: { perPartition: true, spare: 0 },
    databaseUser: 'stepline_step_executor',
    writes: [...decisions, 'deadLetter'],
    needs: ['secretKey', 'agentRegistry', 'runLimits', 'quickCalls'],
    reaches: 'agents',
    bundleBudgetKib: 1_850,
  },
  'http-bridge': {
    description: 'Calls agents over HTTP and publishes what they answer',
    // It waits most of the time; memory holds the payloads of calls side by side.
    memoryMb: 512,
    // The most that a mapping allows: as long as the slowest agent may take.
    timeoutSeconds: 840,
    // Slow agents' calls are handed to asynchronous invocations beside the mapping's.
    reservedConcurrency: { perPartition: true, spare: 100 },
    databaseUser: 'stepline_http_bridge',
    writes: ['results', 'deadLetter'],
    needs: ['secretKey', 'agentRegistry', 'itself'],
    reaches: 'agents',
    bundleBudgetKib: 1_800,
  },
  'lambda-bridge': {
    description: 'Invokes agents that are Lambda functions and publishes what they answer',
    memoryMb: 512,
    timeoutSeconds: 840,
    reservedConcurrency: { perPartition: true, spare: 100 },
    databaseUser: 'stepline_lambda_bridge',
    writes: ['results', 'deadLetter'],
    needs: ['secretKey', 'agentRegistry', 'agentFunctions', 'itself'],
    reaches: 'services',
    bundleBudgetKib: 1_800,
  },
  timekeeper: {
    description: 'Fires due timers to the second and publishes what was left behind',
    // It runs all the time, so each megabyte is paid for all month; fifty left-behind decisions with whole inputs must fit.
    memoryMb: 512,
    // A minute of looking, and what a look under way may take.
    timeoutSeconds: 90,
    // One ends while the next begins. A third would only wait for the same rows.
    reservedConcurrency: 2,
    databaseUser: 'stepline_timekeeper',
    writes: [...decisions],
    needs: ['agentRegistry', 'retention', 'gauges', 'consumerLag'],
    reaches: 'services',
    bundleBudgetKib: 1_650,
  },
  migrate: {
    description:
      'Brings the schema, the database’s users and the topics up to date, before new code takes traffic',
    memoryMb: 512,
    // The trigger waits as long; a migration that takes longer has to be made in parts.
    timeoutSeconds: 840,
    // A deployment at a time.
    reservedConcurrency: 1,
    databaseUser: 'administrator',
    writes: [],
    needs: ['adminKey', 'topicAdministration'],
    reaches: 'database',
    bundleBudgetKib: 1_100,
  },
  redrive: {
    description: 'Puts records that were given up back where they came from, when somebody asks for it',
    memoryMb: 512,
    // Thousands of records a second: whoever asks waits for the answer.
    timeoutSeconds: 840,
    // One at a time, in one consumer group.
    reservedConcurrency: 1,
    databaseUser: null,
    writes: [
      'executionRequests',
      'cancellationRequests',
      'stepRequests',
      'results',
      'httpTasks',
      'lambdaTasks',
    ],
    needs: ['redrive'],
    reaches: 'services',
    bundleBudgetKib: 1_100,
  },
};
