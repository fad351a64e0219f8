import { decide, decideLoading, mustComeFirst } from '../../../shared/engine/decide.ts';
import { stepToRetry } from '../../../shared/engine/decide-retry.ts';
import type { Decision, Effect } from '../../../shared/engine/effects.ts';
import type { AgentOutcome, EngineEvent } from '../../../shared/engine/event.ts';
import type { Json } from '../../../shared/engine/json.ts';
import { NotLoadedError } from '../../../shared/engine/known.ts';
import type { Needs } from '../../../shared/engine/needs.ts';
import type { Plan } from '../../../shared/engine/plan.ts';
import { scopesAround } from '../../../shared/engine/scope-path.ts';
import { type Attempt, isOpenAttempt, isOpenRun, type State } from '../../../shared/engine/state.ts';
import type { Random } from '../../support/random.ts';
import { changed, EngineStore } from './engine-store.ts';
import { checkDecision, checkRun } from './invariants.ts';
import { planOf, SETTINGS } from './plan-of.ts';
import { type AgentModel, isEverSent, outcomeOf, payloadOf, type WorkflowModel } from './workflow-model.ts';

/** A record on some topic: it may come late, twice, after those that were published after it. */
interface Message {
  readonly runId: string;
  readonly event: EngineEvent | { readonly type: 'task'; readonly task: Task };
  /** So many times may it come again. */
  readonly repeats: number;
}

type Task = Extract<Effect, { type: 'dispatch_task' }>;

/** What may happen beside what must. */
export interface Faults {
  readonly mayRepeat: boolean;
  readonly mayLose: boolean;
  readonly mayPause: boolean;
  /** Cancels and retries. */
  readonly mayCommand: boolean;
  /** Retries from steps that completed, with edited input. */
  readonly mayGoBack: boolean;
  /** Clocks run past deadlines while answers are on their way. */
  readonly mayTimeOut: boolean;
}

export const TOP_RUN = 'run-top';
const LEASE_MS = 60_000;
const BATCH = 3;
/** The share of decisions that are made again on everything that there is: that costs the most. */
const COMPARED = 0.3;

/** The engine among models of all else: its tables, the topics, agents, the timekeeper, users. All chance is from one seed. */
export class EngineWorld {
  readonly store: EngineStore;
  readonly #trace: (readonly [at: number, runId: string, event: EngineEvent, outcome: string])[] = [];
  now = Date.parse('2026-01-15T10:30:00.000Z');
  decisions = 0;
  /** Events that came with others of their run, and were decided after them. */
  postponed = 0;
  readonly #random: Random;
  readonly #agents: AgentModel;
  readonly #faults: Faults;
  #messages: Message[] = [];
  #ids = 0;
  #isCalm = false;
  #commands = 0;
  /** Tasks that nobody is to carry out before they are published again. */
  readonly #lost = new Set<string>();
  /** What attempts saw of variables and errors when they were opened. */
  readonly #entered = new Map<string, string>();
  /** What was asked with each idempotency key, and with which key each visit asked it. */
  readonly #asked = new Map<string, string>();

  constructor(
    workflows: ReadonlyMap<string, WorkflowModel>,
    agents: AgentModel,
    faults: Faults,
    random: Random,
    plans: ReadonlyMap<string, Plan> = new Map([...workflows].map(([name, each]) => [name, planOf(each)])),
  ) {
    this.store = new EngineStore(plans);
    this.#agents = agents;
    this.#faults = faults;
    this.#random = random;
  }

  start(workflow: string, input: Json): void {
    this.store.insert(TOP_RUN, workflow, input, this.now + SETTINGS.pickUpMs);
    this.#publish(TOP_RUN, { type: 'execution_requested' });
  }

  /** Until nothing moves any more. `mayWait`: a run may wait for a signal that nobody sends, or for one that does. */
  run({ mayWait = false } = {}): void {
    const disturbed = this.#random.int(120);
    for (let i = 0; i < disturbed; i++) this.#happen();
    this.#isCalm = true;
    for (let i = 0; this.#happen(); i++) if (i > 20_000) throw new Error('I1: it goes on for ever');
    for (const { run } of this.store.runs.values())
      if (isOpenRun(run) && !(mayWait && this.#waitsForNobody(run.runId)))
        throw new Error(`I1: ${run.runId} is still ${run.status}`);
  }

  #waitsForNobody(runId: string): boolean {
    const waiting = [...this.store.get(runId).attempts.values()].filter(({ status }) => status === 'RUNNING');
    return waiting.some(
      ({ childRunId, signalName }) =>
        (signalName !== null && !isEverSent(signalName)) ||
        (childRunId !== null && this.#waitsForNobody(childRunId)),
    );
  }

  /** One thing. False: nothing is left to happen. */
  #happen(): boolean {
    const { mayPause, mayCommand, mayGoBack } = this.#faults;
    if (this.#chance(0.05)) this.#sendSignal(false);
    if (mayPause && this.#chance(0.05)) this.#pauseOrResume();
    if (mayPause && this.#chance(0.02)) this.#wakeAsWorkflows();
    if (mayCommand && this.#chance(0.06)) this.#cancelOrRetry();
    if (mayGoBack && this.#chance(0.04)) this.#goBack();
    if (this.#messages.length > 0 && !this.#chance(0.1)) {
      this.#deliver();
      return true;
    }
    if (this.#isCalm && (this.#resumeAll() || this.#wakeAsWorkflows())) return true;
    if (this.#advance() || this.#messages.length > 0) return true;
    return this.#sendSignal(true) || (this.#isCalm && mayCommand && this.#retryCancelled());
  }

  #deliver(): void {
    const at = this.#random.int(this.#messages.length);
    const message = this.#messages[at] as Message;
    const { runId, event, repeats } = message;
    if (repeats > 0 && this.#chance(0.15)) this.#messages[at] = { ...message, repeats: repeats - 1 };
    else this.#messages.splice(at, 1);
    if (event.type === 'task') this.#call(runId, event.task);
    else this.#decide(runId, [event, ...this.#others(runId)]);
  }

  /** Records of the same run that come in the same batch. */
  #others(runId: string): EngineEvent[] {
    const others: EngineEvent[] = [];
    while (others.length < BATCH - 1 && this.#chance(0.3)) {
      const at = this.#messages.findIndex((each) => each.runId === runId && each.event.type !== 'task');
      const event = this.#messages[at]?.event;
      if (event === undefined || event.type === 'task' || mustComeFirst(event)) break;
      this.#messages.splice(at, 1);
      others.push(event);
    }
    return others;
  }

  #decide(runId: string, events: readonly EngineEvent[]): void {
    const skewMs = this.#isCalm ? 0 : this.#random.int(4_000) - 2_000;
    const now = this.now + skewMs;
    const isTold = this.#random.chance(0.5);
    let before = this.store.load(runId, events, [], isTold);
    let state = before;
    const effects: Effect[] = [];
    let postponed: readonly EngineEvent[] = [];
    for (const [i, event] of events.entries()) {
      const { plan } = this.store.get(runId);
      const ids = this.#ids;
      const jitter = this.#random.next();
      const draws = () => ({ id: () => this.#id(), jitter: () => jitter });
      const stateWith = (lacking: readonly Needs[]) => {
        this.#ids = ids;
        if (i === 0 && lacking.length > 0) state = before = this.store.load(runId, events, lacking, isTold);
        return state;
      };
      let decision: Decision;
      try {
        decision = decideLoading(plan, stateWith, event, now, draws());
      } catch (error) {
        // What an event reads of a state that those before it in the batch have led to, is loaded for it when it is the first.
        if (!(error instanceof NotLoadedError) || i === 0) throw error;
        postponed = events.slice(i);
        this.postponed++;
        break;
      }
      this.#trace.push([this.now, runId, event, decision.ok ? 'ok' : decision.code]);
      if (events.length === 1 && this.#random.chance(COMPARED)) {
        const used = this.#ids;
        this.#ids = ids;
        const all = this.store.loadAll(runId, events);
        checkSame(before, decision, all, decide(plan, all, event, now, draws()));
        this.#ids = used;
      }
      if (!decision.ok) continue;
      this.decisions++;
      checkDecision(plan, state, decision, event);
      state = decision.state;
      effects.push(...decision.effects);
    }
    if (state !== before) {
      const target = this.#target(runId, events[0] as EngineEvent);
      this.store.commit(runId, before, state);
      this.#checkEntered(runId, before, state, target);
      for (const effect of effects) this.#carryOut(runId, effect, now);
      checkRun(this.store.get(runId), this.store);
    }
    if (postponed.length > 0) this.#decide(runId, postponed);
  }

  #carryOut(runId: string, effect: Effect, now: number): void {
    switch (effect.type) {
      case 'dispatch_task':
        this.#checkKey(runId, effect);
        if (this.#mayLose() && !this.#lost.has(effect.stepExecutionId))
          this.#lost.add(effect.stepExecutionId);
        else {
          this.#lost.delete(effect.stepExecutionId);
          this.#publish(runId, { type: 'task', task: effect });
        }
        break;
      case 'request_step':
        if (!this.#mayLose())
          this.#publish(runId, { type: 'step_requested', stepExecutionId: effect.stepExecutionId });
        break;
      case 'announce_cancellation':
        this.#publish(runId, {
          ...effect,
          type: 'cancellation_requested',
          announced: true,
          requestedAt: this.now,
        });
        break;
      case 'start_child':
        this.store.insertChild(runId, effect, this.now + SETTINGS.pickUpMs);
        if (!this.#mayLose()) this.#publish(effect.childRunId, { type: 'execution_requested' });
        break;
      case 'cancel_child': {
        const { childRunId, reason, requestedAt } = effect;
        this.#publish(childRunId, {
          type: 'cancellation_requested',
          by: null,
          reason,
          announced: true,
          requestedAt,
        });
        break;
      }
      case 'retry_child': {
        const { childRunId, stepExecutionId: parentStepExecutionId, previousStepExecutionId } = effect;
        const previousParentStepExecutionId = previousStepExecutionId;
        const event = {
          type: 'retry_requested',
          parentStepExecutionId,
          previousParentStepExecutionId,
          requestedAt: now,
        } as const;
        // Seldom asked for: lost often, so that it is lost at all.
        if (!this.#mayLose(0.5)) this.#publish(childRunId, event);
        break;
      }
      case 'ask_child':
        if (!this.#mayLose())
          this.#publish(effect.childRunId, {
            type: 'answer_requested',
            parentStepExecutionId: effect.stepExecutionId,
          });
        break;
      case 'answer_parent': {
        const { runId: parentRunId, stepExecutionId, outcome } = effect;
        const answer: AgentOutcome =
          'output' in outcome
            ? { status: 'completed', output: outcome.output }
            : { status: 'failed', error: outcome.error };
        if (!this.#mayLose()) this.#publish(parentRunId, answered(stepExecutionId, answer));
        break;
      }
    }
  }

  #target(runId: string, event: EngineEvent): Attempt | null {
    if (event.type !== 'retry_requested') return null;
    return stepToRetry(this.store.get(runId).attempts.values(), event) ?? null;
  }

  /** A retry from a step has the variables and the error that the step was entered with. */
  #checkEntered(runId: string, before: State, after: State, target: Attempt | null): void {
    const seen = (scope: string) => {
      const { errors, input, variables } = this.store.get(runId);
      const around = scopesAround(scope);
      const nearest = <Value>(of: ReadonlyMap<string, Value>) =>
        of.get(around.find((each) => of.has(each)) ?? '');
      return JSON.stringify([nearest(variables) ?? input, nearest(errors) ?? null]);
    };
    const expected = target === null ? undefined : this.#entered.get(target.stepExecutionId);
    if (target !== null && expected !== undefined && seen(target.scope) !== expected)
      throw new Error(`${target.stepId} was entered with ${expected}, and again with ${seen(target.scope)}`);
    for (const attempt of changed(before.attempts, after.attempts))
      if (!before.attempts.has(attempt.stepExecutionId) && isOpenAttempt(attempt))
        this.#entered.set(attempt.stepExecutionId, seen(attempt.scope));
  }

  /** One key for one input of a visit, and no other. */
  #checkKey(runId: string, { stepExecutionId, idempotencyKey, inputData }: Task): void {
    const { scope, stepId, visit } = this.store.get(runId).attempts.get(stepExecutionId)!;
    const asked = JSON.stringify([runId, scope, stepId, visit, inputData]);
    const before = this.#asked.get(idempotencyKey) ?? asked;
    if (before !== asked) throw new Error(`I6: ${idempotencyKey} is of ${before}, and of ${asked}`);
    const key = this.#asked.get(asked) ?? idempotencyKey;
    if (key !== idempotencyKey) throw new Error(`I6: ${asked} has ${key}, and ${idempotencyKey}`);
    this.#asked.set(idempotencyKey, asked).set(asked, key);
  }

  #publish(runId: string, event: Message['event']): void {
    const repeats = this.#faults.mayRepeat ? 2 : 0;
    this.#messages.push({ runId, event, repeats });
  }

  /** The agent does the same, whenever and however often it is asked. */
  #call(runId: string, { stepExecutionId }: Task): void {
    const attempt = this.store.get(runId).attempts.get(stepExecutionId);
    if (attempt === undefined) throw new Error(`I5: a task without an attempt: ${stepExecutionId}`);
    const { stepId, scope, visit, inputData: input } = attempt;
    const outcome = outcomeOf(this.#agents, { stepId, scope, visit, attempt: attempt.attempt, input });
    if (outcome.status === 'completed') this.#publish(runId, answered(stepExecutionId, outcome));
    else {
      const { code, retryable } = outcome;
      const error = { code, retryable, message: 'so it is' };
      this.#publish(runId, answered(stepExecutionId, { status: 'failed', error }));
    }
  }

  /** The clock goes on to the next time that somebody waits for. */
  #advance(): boolean {
    const times: number[] = [];
    for (const { run, attempts } of this.store.runs.values()) {
      if (!isOpenRun(run)) continue;
      if (run.wakeAt !== null) times.push(run.wakeAt);
      for (const attempt of attempts.values())
        if (isOpenAttempt(attempt) && attempt.wakeAt !== null && !this.#asksInVain(attempt))
          times.push(attempt.wakeAt);
    }
    if (times.length === 0) return false;
    const next = Math.max(Math.min(...times), this.now);
    if (!this.#faults.mayTimeOut && this.#messages.length > 0 && this.#wouldTimeOut(next)) return false;
    this.now = next;
    this.#fireTimers();
    return true;
  }

  /** A parent asks for as long as its child goes on, which waits for something else. */
  #asksInVain({ childRunId, deadlineAt }: Attempt): boolean {
    const child = childRunId === null ? undefined : this.store.runs.get(childRunId);
    return this.#isCalm && child !== undefined && isOpenRun(child.run) && deadlineAt === null;
  }

  /** An agent that was asked and whose answer is on its way. */
  #wouldTimeOut(at: number): boolean {
    return [...this.store.runs.values()].some(({ attempts }) =>
      [...attempts.values()].some(
        ({ status, deadlineAt, signalName, stepExecutionId }) =>
          status === 'RUNNING' &&
          signalName === null &&
          deadlineAt !== null &&
          deadlineAt <= at &&
          !this.#lost.has(stepExecutionId),
      ),
    );
  }

  #fireTimers(): void {
    const { now } = this;
    for (const stored of this.store.runs.values()) {
      const { run, attempts } = stored;
      if (!isOpenRun(run)) continue;
      const { runId } = run;
      // What is due of a paused run is its resume's.
      const isHeld = run.pausedAt !== null;
      const wakeAt = isHeld ? null : now + LEASE_MS;
      if (run.wakeAt !== null && run.wakeAt <= now) {
        stored.run = { ...run, wakeAt };
        if (!isHeld) this.#publish(runId, { type: 'woken', stepExecutionId: null, at: now });
      }
      for (const attempt of attempts.values()) {
        if (!isOpenAttempt(attempt) || attempt.wakeAt === null || attempt.wakeAt > now) continue;
        attempts.set(attempt.stepExecutionId, { ...attempt, wakeAt });
        if (isHeld) continue;
        this.#publish(runId, { type: 'woken', stepExecutionId: attempt.stepExecutionId, at: now });
      }
    }
  }

  /** A signal that somebody waits for, or, early, one that somebody may. */
  #sendSignal(isWaitedFor: boolean): boolean {
    const runs = [...this.store.runs.values()].filter(({ run }) => isOpenRun(run));
    const names = runs.flatMap(({ run, plan, attempts }) => {
      const waiting = [...attempts.values()].filter(({ status }) => status === 'RUNNING');
      const waitedFor = waiting.flatMap(({ signalName }) => (signalName === null ? [] : [signalName]));
      const early = [...plan.steps.values()].flatMap((step) => (step.type === 'signal' ? [step.signal] : []));
      return (isWaitedFor ? waitedFor : early).filter(isEverSent).map((name) => [run.runId, name] as const);
    });
    if (names.length === 0) return false;
    const [runId, name] = this.#random.pick(names);
    const signalId = `signal-${++this.#ids}`;
    this.#publish(runId, { type: 'signal_received', name, signalId, payload: payloadOf(name) });
    return true;
  }

  #pauseOrResume(): void {
    const { run, workflowName } = this.#anyRun();
    if (this.#random.chance(0.3)) this.#pauseOrResumeWorkflow(workflowName);
    else {
      const isPaused = run.heldBy === 'run' || run.heldBy === 'both';
      this.#decide(run.runId, [{ type: isPaused ? 'resume_requested' : 'pause_requested' }]);
    }
  }

  /** With its open runs, of which some may have begun in the very moment and are overlooked: these have not begun. */
  #pauseOrResumeWorkflow(name: string): void {
    const { pausedWorkflows, runs } = this.store;
    const isPaused = !pausedWorkflows.delete(name);
    if (isPaused) pausedWorkflows.add(name);
    const type = isPaused ? 'pause_requested' : 'resume_requested';
    for (const { run, workflowName } of runs.values()) {
      // Or who asked dies half-way: the timekeeper looks.
      const isOverlooked = this.#chance(run.status === 'PENDING' ? 0.5 : 0.3);
      if (workflowName === name && !isOverlooked) this.#decide(run.runId, [{ type, by: 'workflow' }]);
    }
  }

  /** As the timekeeper: wakes what is not held as its workflow is. @returns whether there is any */
  #wakeAsWorkflows(): boolean {
    const unlike = [...this.store.runs.values()].filter(({ run, workflowName }) => {
      const isHeld = run.heldBy === 'workflow' || run.heldBy === 'both';
      return isOpenRun(run) && isHeld !== this.store.pausedWorkflows.has(workflowName);
    });
    for (const { run } of unlike)
      this.#publish(run.runId, { type: 'woken', stepExecutionId: null, at: this.now });
    return unlike.length > 0;
  }

  #resumeAll(): boolean {
    for (const name of [...this.store.pausedWorkflows]) this.#pauseOrResumeWorkflow(name);
    const paused = [...this.store.runs.values()].filter(
      ({ run }) => run.heldBy === 'run' || run.heldBy === 'both',
    );
    for (const { run } of paused) this.#decide(run.runId, [{ type: 'resume_requested' }]);
    return paused.length > 0;
  }

  #cancelOrRetry(): void {
    if (this.#commands++ > 8) return;
    // A child that somebody else cancels is its parent's failure.
    const { run } = this.#faults.mayGoBack ? this.#anyRun() : this.store.get(TOP_RUN);
    if (isOpenRun(run))
      this.#decide(run.runId, [{ type: 'cancellation_requested', by: 'ann', reason: null }]);
    else {
      const edits = this.#faults.mayGoBack && this.#random.chance(0.3);
      const edited = edits ? { inputData: { edited: this.#random.int(100) } } : {};
      this.#decide(run.runId, [{ type: 'retry_requested', ...edited }]);
    }
  }

  /** A cancelled run has not come to its outcome. */
  #retryCancelled(): boolean {
    if (this.store.get(TOP_RUN).run.status !== 'CANCELLED') return false;
    this.#decide(TOP_RUN, [{ type: 'retry_requested' }]);
    return true;
  }

  #goBack(): void {
    if (this.#commands++ > 8) return;
    const { run, attempts } = this.#anyRun();
    const reached = [...attempts.values()];
    if (isOpenRun(run) || reached.length === 0) return;
    const { stepId, scope } = this.#random.pick(reached);
    const fromScope = this.#random.chance(0.5) ? scope : null;
    const edited = this.#random.chance(0.3) ? { inputData: { edited: this.#random.int(100) } } : {};
    this.#decide(run.runId, [{ type: 'retry_requested', fromStep: stepId, fromScope, ...edited }]);
  }

  #anyRun() {
    return this.#random.pick([...this.store.runs.values()]);
  }

  #mayLose(probability = 0.1): boolean {
    return this.#faults.mayLose && this.#chance(probability);
  }

  #chance(probability: number): boolean {
    return !this.#isCalm && this.#random.chance(probability);
  }

  #id(): string {
    return `id-${++this.#ids}`;
  }

  /** What came last, and what was made of it. */
  story(): string {
    const lines = this.#trace.slice(-80).map(([at, runId, event, outcome]) => {
      const time = new Date(at).toISOString().slice(5, -1);
      return `${time} ${runId} ${JSON.stringify(event)} → ${outcome}`;
    });
    return lines.join('\n');
  }
}

function answered(stepExecutionId: string, outcome: AgentOutcome): EngineEvent {
  return { type: 'agent_answered', stepExecutionId, attempt: null, outcome, logs: null };
}

/** The decision on what is told, or found to be lacking, is the decision on everything that there is. */
function checkSame(before: State, partial: Decision, all: State, full: Decision): void {
  const one = tell(before, partial);
  const other = tell(all, full);
  if (one !== other) throw new Error(`A need is missing: decided\n  ${one}\nand on everything\n  ${other}`);
}

/** What a decision writes and asks for. Times that only give the order hang on what else is known. */
function tell(before: State, decision: Decision): string {
  if (!decision.ok) return decision.code;
  const { state, effects } = decision;
  const attempts = changed(before.attempts, state.attempts).map(({ createdAt: _, ...attempt }) =>
    before.attempts.has(attempt.stepExecutionId) ? { ...attempt, inputData: 0 } : attempt,
  );
  const children = changed(before.children, state.children).map(({ input: _, ...child }) => child);
  const rows = [
    attempts,
    changed(before.joins, state.joins),
    children,
    changed(before.signals, state.signals),
    state.sets.map(({ since: _, ...set }) => set),
  ].map((table) => table.map((row) => JSON.stringify(row)).sort());
  // What did not change is not written: what it has beside is loaded or not.
  return JSON.stringify([state.run === before.run ? null : state.run, effects, rows]);
}
