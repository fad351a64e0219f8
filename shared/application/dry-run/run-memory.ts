import { attemptsOf, joinsOf, needsOf } from '../../engine/decide.ts';
import type { EngineEvent } from '../../engine/event.ts';
import type { Json } from '../../engine/json.ts';
import { knownOf, NOTHING_KNOWN } from '../../engine/known.ts';
import { type Needs, together } from '../../engine/needs.ts';
import type { Plan } from '../../engine/plan.ts';
import { childOf, isWithin, joinOf } from '../../engine/scope-path.ts';
import {
  type Attempt,
  type Child,
  type GatheredChild,
  isOpenAttempt,
  isOpenRun,
  type Run,
  type StartableWorkflow,
  type State,
  stepKey,
  workflowKey,
} from '../../engine/state.ts';
import { pendingRun } from '../pending-run.ts';

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
 * A run held in memory, where production has its rows. It hands out no more than an event needs, as there: all of it would cost
 * each decision more than the one before.
 */
export class RunMemory {
  #run: Run;
  #dataLength = 0;
  readonly #plan: Plan;
  readonly #workflowInput: Json;
  readonly #attempts = new Map<string, Attempt>();
  readonly #open = new Map<string, Attempt>();
  readonly #joins: Table<State['joins']> = new Map();
  readonly #children: Table<State['children']> = new Map();
  readonly #childrenOf = new Map<string, Map<string, Child>>();
  readonly #signals: Table<State['signals']> = new Map();
  readonly #variables: Table<State['variables']>;
  readonly #errors: Table<State['errors']> = new Map();
  readonly #outputs: Table<State['outputs']> = new Map();
  readonly #visits: Table<State['visits']> = new Map();
  readonly #measured = new WeakSet<object>();

  /** Input and variables stand for each other, as where a run's data are loaded (design §5). */
  constructor(plan: Plan, { runId, inputData, variables }: RunStart) {
    this.#plan = plan;
    this.#run = pendingRun(runId);
    this.#workflowInput = inputData ?? variables;
    this.#variables = new Map([['', variables ?? inputData]]);
  }

  get run(): Run {
    return this.#run;
  }

  /** The top's. */
  get variables(): Json {
    return this.#variables.get('') ?? null;
  }

  /** In the order in which they were opened. */
  get attempts(): Iterable<Attempt> {
    return this.#attempts.values();
  }

  attempt(stepExecutionId: string): Attempt | undefined {
    return this.#attempts.get(stepExecutionId);
  }

  get attemptCount(): number {
    return this.#attempts.size;
  }

  /** JSON text of all inputs and outputs, in characters; what several share is counted once. */
  get dataLength(): number {
    return this.#dataLength;
  }

  /** Attempts that wait for a signal, in the order in which they began to. */
  get waitingForSignals(): Attempt[] {
    return [...this.#open.values()].filter(
      ({ status, signalName }) => status === 'RUNNING' && signalName !== null,
    );
  }

  /** With what the event is about, the joins that it may settle, and the data that will be read. @param lacking what else was found to be */
  stateFor(event: EngineEvent, lacking: readonly Needs[] = []): State {
    const attempts = new Map<string, Attempt>();
    const add = (attempt: Attempt | undefined) => attempt && attempts.set(attempt.stepExecutionId, attempt);
    if ('stepExecutionId' in event && event.stepExecutionId !== null)
      add(this.#attempts.get(event.stepExecutionId));
    else if (event.type === 'signal_received')
      this.waitingForSignals.filter(({ signalName }) => signalName === event.name).forEach(add);
    else this.#open.forEach(add);
    const about = { ...this.#stateOf(attempts), ...this.#dataFor({}) };
    const told = joinsOf(this.#plan, about, event);
    const paths = told === 'all' ? told : [...told, ...lacking.flatMap((needs) => needs.joins)];
    const joins = new Map(paths === 'all' ? this.#joins : chosen(this.#joins, paths));
    const needs = lacking.reduce(together, needsOf(this.#plan, { ...about, joins }, event));
    for (const { stepExecutionId } of joins.values()) add(this.#attempts.get(stepExecutionId));
    for (const id of needs.attempts) add(this.#attempts.get(id));
    for (const path of needs.openWithin)
      for (const attempt of this.#open.values()) if (isWithin(attempt.scope, path)) add(attempt);
    const known = knownOf([{ attempts: attemptsOf(event), joins: paths, needs }]);
    return { ...about, joins, known, ...this.#dataFor(needs) };
  }

  keep(state: State): void {
    this.#run = state.run;
    for (const [path, join] of state.joins) this.#joins.set(path, join);
    for (const [scope, child] of state.children) this.#keepChild(scope, child);
    for (const [id, signal] of state.signals) this.#signals.set(id, signal);
    for (const [scope, variables] of state.variables) this.#variables.set(scope, variables);
    for (const [scope, error] of state.errors) this.#errors.set(scope, error);
    for (const [key, output] of state.outputs) this.#outputs.set(key, output);
    for (const [key, visit] of state.visits) this.#visits.set(key, visit);
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

  #stateOf(attempts: ReadonlyMap<string, Attempt>) {
    const none = new Map<string, never>();
    const { sets, earlier } = NOTHING_SET;
    const workflowInput = this.#workflowInput;
    return { run: this.#run, known: NOTHING_KNOWN, attempts, workflowInput, joins: none, sets, earlier };
  }

  #dataFor(needs: Partial<Needs>) {
    const { variables, errors, children, outputs, visits, gathered, signalIds, signalNames, workflows } =
      needs;
    const keysOf = (steps: Needs['outputs'] = []) => steps.map(({ scope, stepId }) => stepKey(scope, stepId));
    const names = new Set(signalNames);
    const signals = [...this.#signals].filter(
      ([id, { name, takenBy }]) => signalIds?.includes(id) || (takenBy === null && names.has(name)),
    );
    return {
      variables: chosen(this.#variables, variables),
      errors: chosen(this.#errors, errors),
      children: chosen(this.#children, children),
      outputs: chosen(this.#outputs, keysOf(outputs)),
      visits: chosen(this.#visits, keysOf(visits)),
      signals: new Map(signals),
      workflows: new Map(
        (workflows ?? []).map((reference) => [
          workflowKey(reference.name, reference.version),
          startable(reference),
        ]),
      ),
      gathered: new Map((gathered ?? []).map((path) => [path, this.#gather(path)])),
    };
  }

  #gather(path: string): GatheredChild[] {
    return [...(this.#childrenOf.get(path)?.values() ?? [])].map(({ scope, index, status, output }) => ({
      child: childOf(scope),
      index,
      status,
      output,
    }));
  }

  #keepChild(scope: string, child: Child): void {
    this.#children.set(scope, child);
    const path = joinOf(scope) ?? '';
    const siblings = this.#childrenOf.get(path) ?? new Map<string, Child>();
    this.#childrenOf.set(path, siblings.set(scope, child));
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

/** No dry run goes back to how it was. */
const NOTHING_SET = { sets: [], earlier: new Map<string, never>() } as const;

type Table<Rows> = Rows extends ReadonlyMap<string, infer Row> ? Map<string, Row> : never;

function chosen<Row>(rows: ReadonlyMap<string, Row>, keys: readonly string[] = []): Map<string, Row> {
  const found = new Map<string, Row>();
  for (const key of keys) {
    const row = rows.get(key);
    if (row !== undefined) found.set(key, row);
  }
  return found;
}

/** No other workflow is looked up: its run is stood for by the step's mock. */
function startable({ name, version }: Needs['workflows'][number]): StartableWorkflow {
  return { workflowId: '', versionId: '', name, version: version ?? 1 };
}
