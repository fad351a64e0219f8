import { ExecutionEnvironments } from './execution-environments.ts';
import { describeThrown, type Invoker } from './invocation.ts';
import { FailedStart, ProcessEnvironment } from './process-environment.ts';
import { StartError } from './start-error.ts';

export interface FunctionSettings {
  name: string;
  /** Path of the module that exports `handler`. */
  entry: string;
  env?: Readonly<Record<string, string>>;
  /** 3 s in Lambda unless said otherwise, and here. */
  timeoutMs?: number;
  memoryMb?: number;
  maxConcurrency?: number;
}

export interface FunctionProcesses extends Invoker {
  /** Starts the first environment, and fails where the function cannot be imported. */
  warm(): Promise<void>;
  /** Of its environments, oldest first. */
  pids(): number[];
  stop(): Promise<void>;
}

/**
 * A function whose execution environments are node processes of their own.
 * @param onPidsChanged one has been started, or has ended
 */
export function functionProcesses(
  settings: FunctionSettings,
  log: (functionName: string, line: string) => void,
  onPidsChanged: () => void = () => {},
): FunctionProcesses {
  const { name, entry, env = {}, timeoutMs = 3_000, memoryMb = 128, maxConcurrency = 10 } = settings;
  const pool = new ExecutionEnvironments({
    functionName: name,
    timeoutMs,
    maxConcurrency,
    open: async () => {
      const environment = await ProcessEnvironment.start({
        functionName: name,
        entry,
        env,
        memoryMb,
        log: (line) => log(name, line),
        onEnd: onPidsChanged,
      });
      // Once it is among them.
      setImmediate(onPidsChanged);
      return environment;
    },
    describeFailedStart: (error) => ({
      ok: false,
      error: error instanceof FailedStart ? error.error : describeThrown(error),
    }),
  });
  return {
    functionName: name,
    invoke: (event, options) => pool.invoke(event, options),
    warm: async () => {
      try {
        await pool.warm();
      } catch (cause) {
        const reason = cause instanceof Error ? cause.message : String(cause);
        throw new StartError(
          'FUNCTION_UNAVAILABLE',
          `The function ${name} (${entry}) cannot start: ${reason}`,
          ['mend what its output above says, and start again'],
          cause,
        );
      }
    },
    pids: () => [...pool.environments].filter((environment) => environment.isUsable()).map(({ pid }) => pid),
    stop: () => pool.close(),
  };
}
