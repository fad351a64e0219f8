import { startApiGateway } from './api-gateway/api-gateway.ts';
import { EventSourceMapping } from './event-source/event-source-mapping.ts';
import type { MappingSettings, MappingTuning } from './event-source/mapping-settings.ts';
import { type FunctionProcesses, type FunctionSettings, functionProcesses } from './function-process.ts';
import type { RunningServer } from './http-server.ts';
import { type RunningLambdaApi, startLambdaApi } from './lambda-api.ts';
import { type ScheduleSettings, startSchedule } from './schedule.ts';

/** The function behind API Gateway, and where that listens: a free port of 127.0.0.1 unless said otherwise. */
export interface ApiSettings {
  functionName: string;
  port?: number | undefined;
  host?: string | undefined;
  corsAllowedOrigins?: string | undefined;
}

export interface StackOptions {
  kafkaBrokers: string;
  functions: readonly FunctionSettings[];
  mappings?: readonly MappingSettings[];
  schedules?: readonly ScheduleSettings[];
  api?: ApiSettings;
  /** Where functions are invoked that are not of this stack: an AWS endpoint. */
  lambdaElsewhere?: string | undefined;
  mappingTuning?: MappingTuning;
  /** Gets the functions' output and what the emulation has to say, by whom it comes from. */
  log?: (source: string, line: string) => void;
  /** What `pids` answers may be another now. */
  onPidsChanged?: (() => void) | undefined;
}

export interface RunningStack {
  /** Of API Gateway; absent without one. */
  url?: string;
  /** Of the Lambda API, for `@aws-sdk/client-lambda` outside the functions. */
  lambdaUrl: string;
  functions: ReadonlyMap<string, FunctionProcesses>;
  mappings: readonly EventSourceMapping[];
  /** Each function's oldest process. It changes when one was killed. */
  pids(): Record<string, number>;
  stop(): Promise<void>;
}

/**
 * Functions and what invokes them, from plain lists. Postgres and Kafka are there before (servers.ts), so that the caller can
 * migrate and make topics in between. Resolves when every function runs and every mapping has its partitions.
 */
export async function startStack(options: StackOptions): Promise<RunningStack> {
  const { log = () => {} } = options;
  const functions = new Map<string, FunctionProcesses>();
  let isEnding = false;
  const lambdaApi = await startLambdaApi({
    functions,
    elsewhere: options.lambdaElsewhere,
    // What is under way when the stack stops is ended with it, which is no failure to tell of.
    log: (line) => isEnding || log('lambda', line),
  });
  // In the order in which they have to end: first what brings in work, then what does it.
  const running: { stop(): void | Promise<void> }[][] = [
    [],
    [],
    [{ stop: () => stopAll([...functions.values()]) }, lambdaApi],
  ];
  const stop = async () => {
    isEnding = true;
    for (const layer of running) await stopAll(layer);
  };
  try {
    for (const settings of options.functions)
      functions.set(
        settings.name,
        functionProcesses(inStack(settings, lambdaApi), log, options.onPidsChanged),
      );
    await Promise.all([...functions.values()].map((each) => each.warm()));

    const mappings = (options.mappings ?? []).map(
      (settings) =>
        new EventSourceMapping({
          settings,
          brokers: options.kafkaBrokers.split(','),
          invoker: named(functions, settings.functionName),
          log: (line) => log('event-source-mapping', line),
          ...(options.mappingTuning && { tuning: options.mappingTuning }),
        }),
    );
    running[1]?.push(...mappings);
    await Promise.all(mappings.map((mapping) => mapping.start()));

    const api = options.api && (await startGateway(options.api, functions, log));
    if (api) running[0]?.push(api);
    for (const schedule of options.schedules ?? [])
      running[0]?.push(startSchedule(schedule, lambdaApi.invokeLater));

    return {
      ...(api && { url: api.url }),
      lambdaUrl: lambdaApi.url,
      functions,
      mappings,
      pids: () =>
        Object.fromEntries(
          [...functions].flatMap(([name, each]) =>
            each
              .pids()
              .slice(0, 1)
              .map((pid) => [name, pid]),
          ),
        ),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Functions find each other through the Lambda API by the SDK's own variable, which production leaves unset. */
function inStack(settings: FunctionSettings, lambdaApi: RunningLambdaApi): FunctionSettings {
  return { ...settings, env: { AWS_ENDPOINT_URL_LAMBDA: lambdaApi.url, ...settings.env } };
}

function startGateway(
  { functionName, port, host, corsAllowedOrigins }: ApiSettings,
  functions: ReadonlyMap<string, FunctionProcesses>,
  log: (source: string, line: string) => void,
): Promise<RunningServer> {
  return startApiGateway({
    invoker: named(functions, functionName),
    port,
    host,
    ...(corsAllowedOrigins !== undefined && { corsAllowedOrigins }),
    log: (line) => log('api-gateway', line),
  });
}

function named(functions: ReadonlyMap<string, FunctionProcesses>, name: string): FunctionProcesses {
  const found = functions.get(name);
  if (!found) throw new Error(`The stack has no function ${name}, only ${[...functions.keys()].join(', ')}.`);
  return found;
}

async function stopAll(parts: readonly { stop(): void | Promise<void> }[]): Promise<void> {
  await Promise.all(parts.map((part) => part.stop()));
}
