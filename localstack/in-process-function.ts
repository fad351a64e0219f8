import { type ExecutionEnvironment, ExecutionEnvironments } from './execution-environments.ts';
import {
  describeThrown,
  type InvocationContext,
  type InvocationResult,
  type Invoker,
  invocationContext,
  timedOut,
} from './invocation.ts';

// A parameter of `never` accepts a handler of any event type, as Lambda does.
export type LambdaHandler = (event: never, context: InvocationContext) => unknown;

export interface InProcessFunctionOptions {
  functionName: string;
  /** Called once for each environment, as a cold start imports the module; return one handler to share its state. */
  createHandler(): LambdaHandler | Promise<LambdaHandler>;
  timeoutMs?: number;
  maxConcurrency?: number;
  /** Beyond that, callers of Lambda's API are refused instead of waiting. */
  throttles?: boolean;
}

/**
 * A function without processes, for tests and benchmarks. Events and answers are handed over as they are: nothing is
 * serialised, no size is checked, and a handler that timed out goes on in the background.
 */
export function inProcessFunction(options: InProcessFunctionOptions): Invoker {
  return new ExecutionEnvironments({
    functionName: options.functionName,
    timeoutMs: options.timeoutMs ?? 60_000,
    maxConcurrency: options.maxConcurrency ?? 1_000,
    throttles: options.throttles,
    open: async () => new InProcessEnvironment(options.functionName, await options.createHandler()),
    describeFailedStart: (error) => ({ ok: false, error: describeThrown(error) }),
  });
}

class InProcessEnvironment implements ExecutionEnvironment {
  readonly #functionName: string;
  readonly #handler: (event: unknown, context: InvocationContext) => unknown;
  #usable = true;

  constructor(functionName: string, handler: LambdaHandler) {
    this.#functionName = functionName;
    this.#handler = handler as (event: unknown, context: InvocationContext) => unknown;
  }

  async invoke(event: unknown, requestId: string, timeoutMs: number): Promise<InvocationResult> {
    const context = invocationContext(this.#functionName, 128, requestId, Date.now() + timeoutMs);
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<InvocationResult>((resolve) => {
      timer = setTimeout(() => {
        this.#usable = false;
        resolve(timedOut(requestId, timeoutMs));
      }, timeoutMs);
    });
    try {
      return await Promise.race([this.#run(event, context), timeout]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #run(event: unknown, context: InvocationContext): Promise<InvocationResult> {
    try {
      return { ok: true, payload: await this.#handler(event, context) };
    } catch (error) {
      return { ok: false, error: describeThrown(error) };
    }
  }

  isUsable(): boolean {
    return this.#usable;
  }

  async close(): Promise<void> {
    this.#usable = false;
  }
}
