import type { Effect } from './decision.ts';
import type { Json, JsonObject } from './json.ts';
import {
  type Attempt,
  type Child,
  type Join,
  type Run,
  type ScopeSet,
  type ScopeValues,
  type Signal,
  type State,
  stepKey,
} from './state.ts';

/** Ids and chance, from outside: the engine makes none. */
export interface Draws {
  /** A fresh UUIDv7. */
  id(): string;
  /** Evenly in [0, 1). */
  jitter(): number;
}

type Tables = Pick<
  State,
  'attempts' | 'joins' | 'children' | 'signals' | 'variables' | 'errors' | 'outputs' | 'visits'
>;

/** A decision while it is made: the state that it leads to and what is to be carried out. */
export class Draft {
  run: Run;
  readonly effects: Effect[] = [];
  readonly now: number;
  readonly draws: Draws;
  readonly #before: State;
  #createdAt: number | null = null;
  readonly #sets: ScopeSet[] = [];
  /** What this decision writes to is copied at the first write. */
  readonly #written = new Map<keyof Tables, Map<string, unknown>>();

  constructor(state: State, now: number, draws: Draws) {
    this.#before = state;
    this.run = state.run;
    this.now = now;
    this.draws = draws;
  }

  get state(): State {
    const sets = this.#sets.length === 0 ? this.#before.sets : [...this.#before.sets, ...this.#sets];
    return { ...this.#before, ...Object.fromEntries(this.#written), sets, run: this.run };
  }

  get attempts(): ReadonlyMap<string, Attempt> {
    return this.#table('attempts');
  }

  get joins(): ReadonlyMap<string, Join> {
    return this.#table('joins');
  }

  get children(): ReadonlyMap<string, Child> {
    return this.#table('children');
  }

  get signals(): ReadonlyMap<string, Signal> {
    return this.#table('signals');
  }

  get variables(): ReadonlyMap<string, Json> {
    return this.#table('variables');
  }

  get errors(): ReadonlyMap<string, JsonObject> {
    return this.#table('errors');
  }

  get outputs(): ReadonlyMap<string, Json> {
    return this.#table('outputs');
  }

  get visits(): ReadonlyMap<string, number> {
    return this.#table('visits');
  }

  get loaded(): Pick<State, 'workflowInput' | 'workflows' | 'gathered' | 'parentAttempt' | 'earlier'> {
    return this.#before;
  }

  /** Later than what led to it, whatever the clock of the environment that decided that: a run's attempts are in their order. */
  nextCreatedAt(): number {
    if (this.#createdAt === null) {
      this.#createdAt = this.now;
      for (const { createdAt } of this.attempts.values())
        this.#createdAt = Math.max(this.#createdAt, createdAt + 1);
    } else {
      this.#createdAt += 1;
    }
    return this.#createdAt;
  }

  put(attempt: Attempt): void {
    this.#write('attempts', attempt.stepExecutionId, attempt);
  }

  putJoin(join: Join): void {
    this.#write('joins', join.path, join);
  }

  putChild(child: Child): void {
    this.#write('children', child.scope, child);
  }

  putSignal(signal: Signal): void {
    this.#write('signals', signal.id, signal);
  }

  setVariables({ scope, createdAt: since }: Attempt, variables: Json): void {
    this.#write('variables', scope, variables);
    this.#sets.push({ scope, since, variables, isWhole: false });
  }

  setError({ scope, createdAt: since }: Attempt, error: JsonObject): void {
    this.#write('errors', scope, error);
    this.#sets.push({ scope, since, error, isWhole: false });
  }

  /** Goes back to what a scope had. */
  resetScope(scope: string, values: ScopeValues): void {
    this.#sets.push({ scope, since: this.nextCreatedAt(), ...values, isWhole: true });
    this.#writeOrUnset('variables', scope, values.variables);
    this.#writeOrUnset('errors', scope, values.error);
  }

  setOutput(scope: string, stepId: string, output: Json): void {
    this.#write('outputs', stepKey(scope, stepId), output);
  }

  /** One more. */
  countVisit(scope: string, stepId: string): number {
    const key = stepKey(scope, stepId);
    const visit = (this.visits.get(key) ?? 0) + 1;
    this.#write('visits', key, visit);
    return visit;
  }

  /** Numbers and announces one transition: of an attempt, or of the run itself. */
  announce(attempt: Attempt | null, errorMessage: string | null = null): void {
    this.run = { ...this.run, sequence: this.run.sequence + 1 };
    this.effects.push({
      type: 'publish_update',
      sequence: this.run.sequence,
      status: this.run.pausedAt === null ? this.run.status : 'PAUSED',
      stepId: attempt?.stepId ?? null,
      scope: attempt?.scope ?? '',
      stepStatus: attempt?.status ?? null,
      attempt: attempt?.attempt ?? null,
      errorMessage,
    });
  }

  #table<Table extends keyof Tables>(table: Table): Tables[Table] {
    return (this.#written.get(table) as Tables[Table] | undefined) ?? this.#before[table];
  }

  #writeOrUnset(table: keyof Tables, key: string, value: unknown): void {
    this.#write(table, key, value);
    if (value === undefined) this.#written.get(table)?.delete(key);
  }

  #write(table: keyof Tables, key: string, value: unknown): void {
    const written = this.#written.get(table);
    if (written !== undefined) written.set(key, value);
    else this.#written.set(table, new Map<string, unknown>(this.#before[table]).set(key, value));
  }
}
