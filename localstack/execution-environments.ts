import { randomUUID } from 'node:crypto';
import type { InvocationOptions, InvocationResult, Invoker } from './invocation.ts';

/** Where a function runs: one invocation at a time, and never again after one that left it unusable. */
export interface ExecutionEnvironment {
  invoke(event: unknown, requestId: string, timeoutMs: number): Promise<InvocationResult>;
  isUsable(): boolean;
  close(): Promise<void>;
}

export interface EnvironmentsOptions<E extends ExecutionEnvironment> {
  functionName: string;
  timeoutMs: number;
  maxConcurrency: number;
  /** Whether callers of Lambda's API are refused beyond that. */
  throttles?: boolean | undefined;
  /** A cold start. It may throw: then the invocation that asked for it failed, and the next one tries again. */
  open(): Promise<E>;
  describeFailedStart(error: unknown): InvocationResult;
}

/**
 * The execution environments of one function: started on demand up to a limit, reused most recent first, as Lambda does.
 * Beyond the limit invocations wait their turn, where Lambda would throttle them and the caller would try again; `throttles`
 * leaves that to callers of its API.
 */
export class ExecutionEnvironments<E extends ExecutionEnvironment> implements Invoker {
  readonly functionName: string;
  readonly #options: EnvironmentsOptions<E>;
  readonly #idle: E[] = [];
  readonly #all = new Set<E>();
  readonly #waiting: (() => void)[] = [];
  #claimed = 0;
  #closed = false;

  constructor(options: EnvironmentsOptions<E>) {
    this.functionName = options.functionName;
    this.#options = options;
  }

  get environments(): ReadonlySet<E> {
    return this.#all;
  }

  /** Opens one environment ahead of the first invocation, so that a function that cannot start is known at once. */
  async warm(): Promise<void> {
    await this.#claimTurn();
    try {
      this.#idle.push(await this.#open());
    } finally {
      this.#yieldTurn();
    }
  }

  async invoke(event: unknown, options: InvocationOptions = {}): Promise<InvocationResult> {
    await this.#claimTurn();
    try {
      const environment = this.#takeIdle() ?? (await this.#open());
      const timeoutMs = options.timeoutMs ?? this.#options.timeoutMs;
      const result = await environment.invoke(event, options.requestId ?? randomUUID(), timeoutMs);
      if (environment.isUsable()) this.#idle.push(environment);
      else this.#all.delete(environment);
      return result;
    } catch (error) {
      return this.#options.describeFailedStart(error);
    } finally {
      this.#yieldTurn();
    }
  }

  isThrottled(): boolean {
    return this.#options.throttles === true && this.#claimed >= this.#options.maxConcurrency;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#all].map((environment) => environment.close()));
    this.#all.clear();
    this.#idle.length = 0;
  }

  #takeIdle(): E | undefined {
    for (let environment = this.#idle.pop(); environment; environment = this.#idle.pop()) {
      if (environment.isUsable()) return environment;
      this.#all.delete(environment);
    }
    return undefined;
  }

  async #open(): Promise<E> {
    const environment = await this.#options.open();
    this.#all.add(environment);
    if (this.#closed) await environment.close();
    return environment;
  }

  async #claimTurn(): Promise<void> {
    if (this.#claimed < this.#options.maxConcurrency) this.#claimed += 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #yieldTurn(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#claimed -= 1;
  }
}
