import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { ExecutionEnvironment } from './execution-environments.ts';
import type { InvokeMessage, RuntimeMessage } from './function-runtime.ts';
import { ceaseWatching, endWithLauncher } from './guardian.ts';
import {
  emulatedRegion,
  type FunctionError,
  failed,
  type InvocationResult,
  largestAnswer,
  largestEvent,
  timedOut,
} from './invocation.ts';
import { withCompileCache } from './project-folder.ts';
import { progressOfProcess, untilStarted } from './until-started.ts';

export interface ProcessEnvironmentOptions {
  functionName: string;
  /** Path of the module that exports `handler`. */
  entry: string;
  env: Readonly<Record<string, string>>;
  memoryMb: number;
  log(line: string): void;
  onEnd?(): void;
}

/** The module of the function could not be imported, or did so too slowly. */
export class FailedStart extends Error {
  readonly error: FunctionError;

  constructor(error: FunctionError) {
    super(`${error.errorType}: ${error.errorMessage}`);
    this.name = 'FailedStart';
    this.error = error;
  }
}

const runtime = fileURLToPath(new URL('./function-runtime.ts', import.meta.url));
// Lambda gives the module 10 s; a busy laptop that starts everything at once deserves more.
const startPatience = { lookEveryMs: 500, tellEveryMs: 10_000, stalledAfterMs: 30_000, atMostMs: 300_000 };

/** One execution environment as a process of its own. It is gone for good after a timeout, a crash or a kill. */
export class ProcessEnvironment implements ExecutionEnvironment {
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  #usable = true;
  #settle: ((result: InvocationResult) => void) | undefined;

  private constructor(child: ChildProcess, pid: number, onEnd: () => void) {
    this.#child = child;
    this.pid = pid;
    this.#ended = once(child, 'exit');
    endWithLauncher(pid);
    child.on('message', (message: RuntimeMessage) => this.#receive(message));
    child.on('exit', (code, signal) => {
      ceaseWatching(pid);
      this.#usable = false;
      const how = signal ? `signal: ${signal}` : `exit status ${code}`;
      this.#settle?.(failed('Runtime.ExitError', `Runtime exited with error: ${how}`));
      onEnd();
    });
  }

  /** A cold start. Throws FailedStart. */
  static async start(options: ProcessEnvironmentOptions): Promise<ProcessEnvironment> {
    const child = fork(runtime, [options.entry, options.functionName, String(options.memoryMb)], {
      execArgv: [],
      // Ctrl-C in a terminal goes to the whole group; what is under way gets the time that stopping in order gives it.
      detached: true,
      serialization: 'advanced',
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { ...environmentOfLambda(options), ...options.env },
    });
    if (child.pid === undefined) {
      const [error] = await once(child, 'error');
      throw new FailedStart({ errorType: 'Runtime.Unknown', errorMessage: String(error), trace: [] });
    }
    forwardLines(child.stdout, options.log);
    forwardLines(child.stderr, options.log);
    const environment = new ProcessEnvironment(child, child.pid, options.onEnd ?? (() => {}));
    const failure = await startFailure(child, child.pid, options);
    if (failure === undefined) return environment;
    await environment.close();
    throw new FailedStart(failure);
  }

  invoke(event: unknown, requestId: string, timeoutMs: number): Promise<InvocationResult> {
    const json = JSON.stringify(event) ?? 'null';
    if (Buffer.byteLength(json) > largestEvent) {
      const problem = `Request must be smaller than ${largestEvent} bytes for the InvokeFunction operation`;
      return Promise.resolve(failed('RequestTooLargeException', problem));
    }
    const { promise, resolve } = Promise.withResolvers<InvocationResult>();
    const timer = setTimeout(() => {
      this.#usable = false;
      this.#child.kill('SIGKILL');
      this.#settle?.(timedOut(requestId, timeoutMs));
    }, timeoutMs);
    this.#settle = (result) => {
      clearTimeout(timer);
      this.#settle = undefined;
      resolve(result);
    };
    const message: InvokeMessage = {
      type: 'invoke',
      requestId,
      deadline: Date.now() + timeoutMs,
      event: json,
    };
    this.#child.send(message, (error) => {
      if (error)
        this.#settle?.(failed('Runtime.ExitError', `The execution environment is gone: ${error.message}`));
    });
    return promise;
  }

  isUsable(): boolean {
    return this.#usable;
  }

  async close(): Promise<void> {
    this.#usable = false;
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  #receive(message: RuntimeMessage): void {
    if (message.type === 'threw') this.#settle?.({ ok: false, error: message.error });
    if (message.type !== 'answered') return;
    if (Buffer.byteLength(message.payload) > largestAnswer) {
      const problem = `Response payload size exceeded maximum allowed payload size (${largestAnswer} bytes).`;
      this.#settle?.(failed('Function.ResponseSizeTooLarge', problem));
    } else this.#settle?.({ ok: true, payload: JSON.parse(message.payload) });
  }
}

async function startFailure(
  child: ChildProcess,
  pid: number,
  { functionName, log }: ProcessEnvironmentOptions,
): Promise<FunctionError | undefined> {
  const failure = Promise.withResolvers<FunctionError | undefined>();
  let isDecided = false;
  child.once('message', (message: RuntimeMessage) => {
    failure.resolve(message.type === 'start-failed' ? message.error : undefined);
  });
  child.once('exit', (code, signal) => {
    const errorMessage = `the process ended (${signal ?? `exit status ${code}`}) while the module was imported`;
    failure.resolve({ errorType: 'Runtime.ExitError', errorMessage, trace: [] });
  });
  void untilStarted(
    {
      name: `The function ${functionName}`,
      waitsUntil: 'its module is imported',
      isReady: async () => isDecided,
      hasExited: () => isDecided,
      progress: () => progressOfProcess(pid, null),
      tell: log,
    },
    startPatience,
  ).then((outcome) => {
    if (!outcome.ready)
      failure.resolve({ errorType: 'Sandbox.Timedout', errorMessage: outcome.reason, trace: [] });
  });
  try {
    return await failure.promise;
  } finally {
    isDecided = true;
  }
}

function environmentOfLambda({ functionName, memoryMb }: ProcessEnvironmentOptions): Record<string, string> {
  const ofThisMachine = ['PATH', 'HOME', 'TMPDIR', 'LANG'].flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value]];
  });
  return {
    ...Object.fromEntries(ofThisMachine),
    ...withCompileCache,
    TZ: 'UTC',
    AWS_REGION: emulatedRegion,
    AWS_DEFAULT_REGION: emulatedRegion,
    // No real credentials are passed on; the SDK needs some to sign with.
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
    AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
    AWS_LAMBDA_FUNCTION_NAME: functionName,
    AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(memoryMb),
    AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
  };
}

function forwardLines(stream: Readable | null, log: (line: string) => void): void {
  if (stream) createInterface({ input: stream }).on('line', log);
}
