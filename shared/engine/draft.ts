import type { Effect } from './effects.ts';
import type { Json, JsonObject } from './json.ts';
import { NotLoadedError } from './known.ts';
import { type Overlay, writableOver } from './overlay.ts';
import type { Known, Readable } from './readable.ts';
import { isWithin } from './scope-path.ts';
import {
  type Attempt,
  type Child,
  type GatheredChild,
  isOpenAttempt,
  type Join,
  type Run,
  type ScopeSet,
  type ScopeValues,
  type Signal,
  type StartableWorkflow,
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

type RowsOf<Table> = Table extends ReadonlyMap<string, infer Row> ? Rows<Row> : never;

/** A table of a state. What was not loaded is not 'none'. */
export class Rows<Row> {
  readonly #what: Readable;
  readonly #loaded: ReadonlyMap<string, Row>;
  readonly #known: Known;

  constructor(what: Readable, loaded: ReadonlyMap<string, Row>, known: Known) {
    this.#what = what;
    this.#loaded = loaded;
    this.#known = known;
  }

  /** @throws NotLoadedError where nobody asked for it */
  get(key: string): Row | undefined {
    const row = this.#loaded.get(key);
    if (row === undefined && !this.#known.has(this.#what, key)) throw new NotLoadedError(this.#what, key);
    return row;
  }

  /** @throws NotLoadedError where nobody asked for it */
  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  /** Where it is loaded. */
  maybe(key: string): Row | undefined {
    return this.#loaded.get(key);
  }

  /** Of those that are loaded. */
  values(): Iterable<Row> {
    return this.#loaded.values();
  }
}

/** A decision while it is made: the state that it leads to and what is to be carried out. */
export class Draft {
  run: Run;
  readonly effects: Effect[] = [];
  readonly now: number;
  readonly draws: Draws;
  readonly #before: State;
  #createdAt: number | null = null;
  readonly #sets: ScopeSet[] = [];
  /** Each from its first write on. */
  readonly #written = new Map<keyof Tables, Map<string, unknown> | Overlay<unknown>>();
  readonly #begun = new Set<string>();

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

  get attempts(): Rows<Attempt> {
    return this.#rows('attempts');
  }

  get joins(): Rows<Join> {
    return this.#rows('joins');
  }

  get children(): Rows<Child> {
    return this.#rows('children');
  }

  get signals(): Rows<Signal> {
    return this.#rows('signals');
  }

  get variables(): Rows<Json> {
    return this.#rows('variables');
  }

  get errors(): Rows<JsonObject> {
    return this.#rows('errors');
  }

  get outputs(): Rows<Json> {
    return this.#rows('outputs');
  }

  get gathered(): Rows<readonly GatheredChild[]> {
    return new Rows('gathered', this.#before.gathered, this.#before.known);
  }

  get workflows(): Rows<StartableWorkflow | null> {
    return new Rows('workflows', this.#before.workflows, this.#before.known);
  }

  /** What scopes had when a step was entered that a retry goes back to. */
  get earlier(): Rows<ScopeValues> {
    return new Rows('earlier', this.#before.earlier, this.#before.known);
  }

  get workflowInput(): Json {
    this.mustKnow('workflowInput');
    return this.#before.workflowInput;
  }

  /** All that are open. */
  openAttempts(): Attempt[] {
    this.mustKnow('openAttempts');
    return [...this.attempts.values()].filter(isOpenAttempt);
  }

  /** All that are open inside a join, at any depth. */
  openWithin(join: string): Attempt[] {
    if (!this.#before.known.has('openAttempts', '')) this.mustKnow('openWithin', join);
    return [...this.attempts.values()].filter(
      (attempt) => isOpenAttempt(attempt) && isWithin(attempt.scope, join),
    );
  }

  /** That wait for a signal: the first of them at least. */
  waitingFor(signalName: string): Attempt[] {
    this.mustKnow('waitingAttempts', signalName);
    return [...this.attempts.values()].filter(
      (attempt) => attempt.status === 'RUNNING' && attempt.signalName === signalName,
    );
  }

  /** That nobody took: the earliest of them at least. */
  untakenSignals(name: string): Signal[] {
    this.mustKnow('untakenSignals', name);
    return [...this.signals.values()].filter((signal) => signal.name === name && signal.takenBy === null);
  }

  /** The attempt of another run that asks for a retry. */
  parentAttempt(stepExecutionId: string): Attempt | undefined {
    this.mustKnow('attempts', stepExecutionId);
    return this.#before.parentAttempt;
  }

  /** @throws NotLoadedError where nobody asked for it */
  mustKnow(what: Readable, key = ''): void {
    if (!this.#before.known.has(what, key)) throw new NotLoadedError(what, key);
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

  /** A branch or item begins: nothing was visited in its scope before. */
  beginScope(scope: string): void {
    this.#begun.add(scope);
  }

  /** One more. @param isFirst where that is certain without a look */
  countVisit(scope: string, stepId: string, isFirst: boolean): number {
    const key = stepKey(scope, stepId);
    const isCertain = (isFirst || this.#begun.has(scope)) && !this.#table('visits').has(key);
    const visit = isCertain ? 1 : (this.#rows('visits').get(key) ?? 0) + 1;
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

  #rows<Table extends keyof Tables>(table: Table): RowsOf<Tables[Table]> {
    return new Rows<unknown>(table, this.#table(table), this.#before.known) as RowsOf<Tables[Table]>;
  }

  #table<Table extends keyof Tables>(table: Table): Tables[Table] {
    return (this.#written.get(table) as Tables[Table] | undefined) ?? this.#before[table];
  }

  #writeOrUnset(table: keyof Tables, key: string, value: unknown): void {
    this.#write(table, key, value);
    if (value !== undefined) return;
    const left = new Map<string, unknown>(this.#table(table));
    left.delete(key);
    this.#written.set(table, left);
  }

  #write(table: keyof Tables, key: string, value: unknown): void {
    let written = this.#written.get(table);
    if (written === undefined) {
      written = writableOver<unknown>(this.#before[table]);
      this.#written.set(table, written);
    }
    written.set(key, value);
  }
}
