import { nextTry } from './backoff.ts';
import type { Draft } from './draft.ts';
import type { RefusalCode } from './effects.ts';
import { evaluate, shapeResult } from './evaluate.ts';
import type { AgentAnswered, AgentFailure } from './event.ts';
import type { Json } from './json.ts';
import type { Needs } from './needs.ts';
import { closedAttempt, newAttempt } from './new-attempt.ts';
import type { Expression, Plan, PlanStep } from './plan.ts';
import { endTop } from './run-end.ts';
import { begunChild, countEnd, ended, type ScopeEnd } from './scope-end.ts';
import { joinOf } from './scope-path.ts';
import type { Attempt, Signal } from './state.ts';
import { hasCaughtStepLimit, isBeyondCatching, stepsCounted } from './step-limit.ts';
import { storableFailure } from './storable-text.ts';
import { stepOf, viewOf } from './view.ts';

/*
 * An attempt of a step, of any type:
 *
 *   (none)  --enter-->            RUNNING, and its type's behaviour starts it
 *   (none)  --request-->          PENDING, its step_request published; held while the run is paused
 *   PENDING --start-->            RUNNING, and its type's behaviour starts it
 *   RUNNING --complete-->         COMPLETED, and the next step is entered or requested, or its scope ends
 *   RUNNING --fail-->             FAILED, and a PENDING attempt follows, or what catches it, or its scope ends
 *   PENDING, RUNNING --cancel-->  CANCELLED
 *
 * A decision enters at most one step: the one that what it settles leads to. Whatever else follows is requested, by a record of
 * its own, so that what a decision costs does not grow with the workflow (design §1).
 *
 * A scope ends with its last step. The top's end is the run's; a branch's or item's is counted in its join, and the join asks for
 * its step once what that waits for has come. A paused run's end waits for its resume (run-end.ts).
 */

/**
 * What the attempts of one type of step do: one file for each in steps/. An attempt is RUNNING when `start` gets it; whatever a
 * behaviour does not know, does not happen to its steps.
 */
export interface StepBehaviour<Step extends PlanStep = PlanStep> {
  /** Its branches or items run in scopes of their own. */
  readonly opensScopes?: true;
  /** What it starts is given an input, made once: further attempts have the same, unless a retry brings another. */
  readonly takesInput?: true;
  /** Settles at once, or asks for what will settle it. */
  start(flow: Flow, step: Step, attempt: Attempt): void;
  /** An agent's answer, or a child run's. */
  answered?(flow: Flow, step: Step, attempt: Attempt, event: AgentAnswered): void;
  /** The timekeeper's clock has come to `at`. */
  woken?(flow: Flow, step: Step, attempt: Attempt, at: number): RefusalCode | null;
  /** A request for a step that is under way: what it waited for may be there. */
  requested?(flow: Flow, step: Step, attempt: Attempt): RefusalCode | null;
  signalled?(flow: Flow, step: Step, attempt: Attempt, signal: Signal): void;
  /** It is being cancelled: so is what it asked for. */
  cancelled?(flow: Flow, step: Step, attempt: Attempt): void;
  /** The latest attempt did not complete, and its run goes on. False: it is tried anew like any other. */
  resumed?(flow: Flow, step: Step, attempt: Attempt): boolean;
  /** A branch or item of it has ended, and the step is not over. */
  childEnded?(flow: Flow, step: Step, joinPath: string): void;
  /** So many of its branches or items go on at once, as a retry lets them; absent: all. */
  atOnce?(step: Step): number;
  /** What starting it needs beside what its expressions read. */
  needsToStart?(step: Step): Partial<Needs>;
  /** The first steps of its branches or items. */
  opens?(step: Step): readonly string[];
  /** The steps that it may lead to beside `next` and its catch clauses. */
  leadsTo?(step: Step): readonly string[];
}

export type Behaviours = {
  readonly [Type in PlanStep['type']]: StepBehaviour<Extract<PlanStep, { type: Type }>>;
};

export type BehaviourOf = (step: PlanStep) => StepBehaviour;

export class Flow {
  readonly plan: Plan;
  readonly draft: Draft;
  readonly behaviourOf: BehaviourOf;
  /** Whether this decision may enter the step that follows. */
  #mayEnter = false;

  constructor(plan: Plan, draft: Draft, behaviourOf: BehaviourOf) {
    this.plan = plan;
    this.draft = draft;
    this.behaviourOf = behaviourOf;
  }

  stepOf(stepId: string): PlanStep {
    return stepOf(this.plan, stepId);
  }

  /** What is settled within leads on in this decision. */
  settling<Result>(settle: () => Result): Result {
    this.#mayEnter = true;
    return settle();
  }

  /** Opens an attempt that a `step_request` starts. */
  request(stepId: string, scope: string, given: Partial<Attempt> = {}): Attempt {
    const attempt = newAttempt(this, this.stepOf(stepId), scope, { status: 'PENDING', ...given });
    this.draft.put(attempt);
    this.draft.announce(attempt);
    this.ask(attempt);
    return attempt;
  }

  /** A branch's or item's first step. */
  requestFirst(stepId: string, scope: string): void {
    this.draft.beginScope(scope);
    this.request(stepId, scope);
  }

  /** Publishes a request for an open attempt; a paused run's is asked for when it is resumed. */
  ask(attempt: Attempt): void {
    if (this.draft.run.pausedAt !== null) return;
    const pickUpAt = this.draft.now + this.plan.settings.pickUpMs;
    this.draft.put({ ...attempt, wakeAt: Math.min(pickUpAt, attempt.deadlineAt ?? pickUpAt) });
    this.draft.effects.push({ type: 'request_step', stepExecutionId: attempt.stepExecutionId });
  }

  /** A further attempt of the same visit. */
  again(attempt: Attempt, given: Partial<Attempt>): Attempt {
    const { stepId, scope, visit } = attempt;
    return newAttempt(this, this.stepOf(stepId), scope, { visit, attempt: attempt.attempt + 1, ...given });
  }

  enter(stepId: string, scope: string): void {
    this.#begin(
      newAttempt(this, this.stepOf(stepId), scope, { status: 'RUNNING', startedAt: this.draft.now }),
    );
  }

  /** A PENDING attempt whose time has come. */
  start(attempt: Attempt): void {
    const { now } = this.draft;
    this.#begin({ ...attempt, status: 'RUNNING', startedAt: now, dueAt: null, wakeAt: null });
  }

  complete(
    attempt: Attempt,
    result: Json,
    { logs = null, next }: { logs?: readonly string[] | null; next?: string | null } = {},
  ): void {
    const step = this.stepOf(attempt.stepId);
    const shaped = shapeResult(this, step, attempt.scope, result);
    if (!shaped.ok) {
      this.fail(attempt, shaped.failure, logs);
      return;
    }
    const { output, variables } = shaped;
    const completed: Attempt = {
      ...closedAttempt(this.draft, attempt, 'COMPLETED', logs),
      outputData: output,
    };
    this.draft.put(completed);
    this.draft.setOutput(attempt.scope, attempt.stepId, output);
    if (variables !== null) this.draft.setVariables(attempt, variables);
    this.draft.announce(completed);
    const follower = next === undefined ? step.next : next;
    if (follower === null) this.#endScope(completed, { status: 'COMPLETED', output });
    else this.#goOn(follower, attempt.scope);
  }

  fail(
    attempt: Attempt,
    failure: AgentFailure,
    logs: readonly string[] | null = null,
    { isFinal = false }: { isFinal?: boolean } = {},
  ): void {
    const { code, message } = storableFailure(failure);
    const failed: Attempt = {
      ...closedAttempt(this.draft, attempt, 'FAILED', logs),
      error: { code, message },
    };
    this.draft.put(failed);
    this.draft.announce(failed, message);
    const step = this.stepOf(attempt.stepId);
    if (!isFinal && this.#retry(step, failed, failure)) return;
    const isTooMany = code === 'STEP_LIMIT' && isBeyondCatching(this, step, attempt);
    const clause = isFinal || isTooMany ? undefined : catchFor(step, code);
    if (clause === undefined) {
      this.#endScope(failed, { status: 'FAILED', failure: { code, message } });
      return;
    }
    this.draft.setError(attempt, { code, message, step: attempt.stepId, attempt: attempt.attempt });
    this.request(clause.next, attempt.scope);
  }

  cancel(attempt: Attempt): void {
    const cancelled = closedAttempt(this.draft, attempt, 'CANCELLED', null);
    this.draft.put(cancelled);
    this.draft.announce(cancelled);
    // A run that another producer inserted may be cancelled before it has a plan.
    const step = this.plan.steps.get(attempt.stepId);
    if (step !== undefined) this.behaviourOf(step).cancelled?.(this, step, attempt);
  }

  cancelOpen(): void {
    for (const attempt of this.draft.openAttempts()) this.cancel(attempt);
  }

  /** Closes what is open inside a join. */
  cancelWithin(join: string): void {
    for (const attempt of this.draft.openWithin(join)) this.cancel(attempt);
  }

  /** Evaluates what a step says of itself; null: it failed, which is settled. */
  evaluate(attempt: Attempt, expression: Expression, what: string): { readonly value: Json } | null {
    const step = this.stepOf(attempt.stepId);
    const view = viewOf(this.plan, this.draft, step, attempt.scope);
    const made = evaluate(expression, view, step, what, this.plan.settings.maxPayloadBytes);
    if (made.ok) return { value: made.value };
    this.fail(attempt, made.failure);
    return null;
  }

  #begin(attempt: Attempt): void {
    const step = this.stepOf(attempt.stepId);
    const started = stepsCounted(this, step, attempt);
    const { maxStepsPerRun } = this.plan.settings;
    if (started > maxStepsPerRun && !hasCaughtStepLimit(this, step, attempt)) {
      const message = `The run has started ${started} steps; the limit is ${maxStepsPerRun}`;
      this.fail(attempt, { code: 'STEP_LIMIT', message, retryable: false });
      return;
    }
    this.behaviourOf(step).start(this, step, attempt);
  }

  #goOn(stepId: string, scope: string): void {
    if (this.#mayEnter && this.draft.run.pausedAt === null) {
      this.#mayEnter = false;
      this.enter(stepId, scope);
    } else {
      this.request(stepId, scope);
    }
  }

  /** Opens the attempt that a retry policy grants. */
  #retry(step: PlanStep, failed: Attempt, failure: AgentFailure): boolean {
    const { draft } = this;
    const granted = nextTry(step.retry, failure, failed, draft.draws.jitter);
    if (granted === null) return false;
    const { delayMs, ...tries } = granted;
    const dueAt = draft.now + delayMs;
    // A container begins anew, with scopes of its own: another visit. An agent's task stays the same visit's.
    const { opensScopes = false } = this.behaviourOf(step);
    const again = opensScopes
      ? {}
      : { visit: failed.visit, attempt: failed.attempt + 1, inputData: failed.inputData };
    const given = { ...tries, dueAt, wakeAt: dueAt, ...again };
    const next = newAttempt(this, step, failed.scope, given, opensScopes);
    draft.put(next);
    draft.announce(next);
    return true;
  }

  #endScope(last: Attempt, end: ScopeEnd): void {
    const path = joinOf(last.scope);
    if (path === null) {
      endTop(this.draft, last, end);
      return;
    }
    const { draft } = this;
    const join = draft.joins.get(path);
    if (join === undefined) throw new Error(`The scope ${last.scope} has no join`);
    const step = this.stepOf(join.stepId);
    // What it was given is nobody's to read any more, and stays where it is stored.
    const child = draft.children.maybe(last.scope) ?? begunChild(step, last.scope);
    draft.putChild(ended(child, end));
    const counted = countEnd(join, end, this.plan.settings.maxPayloadBytes);
    draft.putJoin(counted);
    if (join.isOver) return;
    if (!counted.isOver) {
      this.behaviourOf(step).childEnded?.(this, step, path);
      return;
    }
    const container = draft.attempts.get(join.stepExecutionId);
    if (container === undefined) throw new Error(`The join ${path} has no step`);
    this.ask(container);
  }
}

function catchFor(step: PlanStep, code: string) {
  return step.catch.find(({ codes }) => codes === null || codes.includes(code));
}
