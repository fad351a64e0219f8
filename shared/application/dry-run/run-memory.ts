import { needsOf } from '../../engine/decide.ts';
import type { EngineEvent } from '../../engine/event.ts';
import type { Json } from '../../engine/json.ts';
import type { Plan } from '../../engine/plan.ts';
import { type Attempt, isOpenAttempt, isOpenRun, type Run, type State } from '../../engine/state.ts';

/** What a dry run begins with. Null stands for absent. */
export interface RunStart {
  readonly runId: string;
  readonly inputData: Json;
  readonly variables: Json;
}

/** When somebody is to look at an attempt, or at the run itself, next. */
export interface Wake {
  readonly stepExecutionId: string | null;
  /** Epoch milliseconds, of the virtual clock. */
  readonly at: number;
}

/**
 * A run held in memory, where production has its rows. It hands out no more than an event needs: all of it would cost each
 * decision more than the one before.
 */
export class RunMemory {
  #state: State;
  #dataLength = 0;
  readonly #plan: Plan;
  readonly #attempts = new Map<string, Attempt>();
  readonly #open = new Map<string, Attempt>();
  readonly #outputs = new Map<string, Json>();
  readonly #measured = new WeakSet<object>();

  /** Input and variables stand for each other, as where a run's data are loaded (design §5). */
  constructor(plan: Plan, { runId, inputData, variables }: RunStart) {
    this.#plan = plan;
    this.#state = {
      run: newRun(runId),
      attempts: new Map(),
      workflowInput: inputData ?? variables,
      variables: variables ?? inputData,
      outputs: new Map(),
    };
  }

  get run(): Run {
    return this.#state.run;
  }

  get variables(): Json {
    return this.#state.variables;
  }

  /** In the order in which they were opened. */
  get attempts(): Iterable<Attempt> {
    return this.#attempts.values();
  }

  get attemptCount(): number {
    return this.#attempts.size;
  }

  /** JSON text of all inputs and outputs, in characters; what several share is counted once. */
  get dataLength(): number {
    return this.#dataLength;
  }

  /** With the open attempts, the one that the event is about, and the outputs that will be read. */
  stateFor(event: EngineEvent): State {
    const attempts = new Map(this.#open);
    const about = 'stepExecutionId' in event ? event.stepExecutionId : null;
    const attempt = about === null ? undefined : this.#attempts.get(about);
    if (attempt !== undefined) attempts.set(attempt.stepExecutionId, attempt);
    const state = { ...this.#state, attempts };
    const outputs = new Map<string, Json>();
    for (const stepId of needsOf(this.#plan, state, event).steps) {
      const output = this.#outputs.get(stepId);
      if (output !== undefined) outputs.set(stepId, output);
    }
    return { ...state, outputs };
  }

  keep(state: State): void {
    this.#state = state;
    for (const [stepId, output] of state.outputs) this.#outputs.set(stepId, output);
    for (const attempt of state.attempts.values()) {
      const { stepExecutionId: id } = attempt;
      if (this.#attempts.get(id) === attempt) continue;
      this.#attempts.set(id, attempt);
      if (isOpenAttempt(attempt)) this.#open.set(id, attempt);
      else this.#open.delete(id);
      this.#measure(attempt.inputData);
      this.#measure(attempt.outputData);
    }
  }

  /** The earliest; null where nothing will happen by itself. */
  nextWake(): Wake | null {
    let next: Wake | null = null;
    const { run } = this;
    if (isOpenRun(run) && run.wakeAt !== null) next = { stepExecutionId: null, at: run.wakeAt };
    for (const { stepExecutionId, wakeAt } of this.#open.values()) {
      if (wakeAt !== null && (next === null || wakeAt < next.at)) next = { stepExecutionId, at: wakeAt };
    }
    return next;
  }

  #measure(value: Json): void {
    if (typeof value !== 'object' || value === null) {
      this.#dataLength += typeof value === 'string' ? value.length : 0;
      return;
    }
    if (this.#measured.has(value)) return;
    this.#measured.add(value);
    this.#dataLength += JSON.stringify(value).length;
  }
}

function newRun(runId: string): Run {
  return {
    runId,
    status: 'PENDING',
    sequence: 0,
    startedAt: null,
    completedAt: null,
    outputData: null,
    error: null,
    cancellation: null,
    retriedAt: null,
    wakeAt: null,
  };
}
