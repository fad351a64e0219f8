import type { Effect } from './decision.ts';
import type { Json } from './json.ts';
import type { Attempt, Run, State } from './state.ts';

/** Ids and chance, from outside: the engine makes none. */
export interface Draws {
  /** A fresh UUIDv7. */
  id(): string;
  /** Evenly in [0, 1). */
  jitter(): number;
}

/** A decision while it is made: the state that it leads to and what is to be carried out. */
export class Draft {
  run: Run;
  readonly effects: Effect[] = [];
  readonly now: number;
  readonly draws: Draws;
  readonly #before: State;
  #attempts: Map<string, Attempt> | null = null;
  #outputs: Map<string, Json> | null = null;

  constructor(state: State, now: number, draws: Draws) {
    this.#before = state;
    this.run = state.run;
    this.now = now;
    this.draws = draws;
  }

  get attempts(): ReadonlyMap<string, Attempt> {
    return this.#attempts ?? this.#before.attempts;
  }

  get scope() {
    const { workflowInput, variables, outputs } = this.#before;
    return { workflowInput, variables, outputs: this.#outputs ?? outputs };
  }

  put(attempt: Attempt): void {
    this.#attempts ??= new Map(this.#before.attempts);
    this.#attempts.set(attempt.stepExecutionId, attempt);
  }

  setOutput(stepId: string, output: Json): void {
    this.#outputs ??= new Map(this.#before.outputs);
    this.#outputs.set(stepId, output);
  }

  /** Numbers and announces one transition: of an attempt, or of the run itself. */
  announce(attempt: Attempt | null, errorMessage: string | null = null): void {
    this.run = { ...this.run, sequence: this.run.sequence + 1 };
    this.effects.push({
      type: 'publish_update',
      sequence: this.run.sequence,
      status: this.run.status,
      stepId: attempt?.stepId ?? null,
      stepStatus: attempt?.status ?? null,
      attempt: attempt?.attempt ?? null,
      errorMessage,
    });
  }

  finish(): { state: State; effects: readonly Effect[] } {
    const state = {
      ...this.#before,
      run: this.run,
      attempts: this.attempts,
      outputs: this.#outputs ?? this.#before.outputs,
    };
    return { state, effects: this.effects };
  }
}
