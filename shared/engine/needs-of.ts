import { joinPathOf } from './container.ts';
import { stepToRetry } from './decide-retry.ts';
import type { EngineEvent, RetryRequested } from './event.ts';
import { type Needs, NO_NEEDS, type StepInScope } from './needs.ts';
import { lastOfEnded } from './pause.ts';
import type { Plan, PlanStep, Reads } from './plan.ts';
import { childScope, joinOf, scopesAround } from './scope-path.ts';
import { type Attempt, isOpenAttempt, isOpenRun, latest, type State, stepKey } from './state.ts';
import { behaviourOf } from './steps/all.ts';
import { itemScope, mayComeAgain, scopeSeen, stepOf } from './view.ts';

/*
 * What a decision will most likely read, told before it is made, so that it is loaded at once. A decision settles one attempt and
 * enters one step; both are known from the event and the plan. What it lacks it says itself (known.ts), and is decided again with that:
 * to tell too little, or too much, costs a reading and changes no decision. Only a retry relies on what is told here.
 */

/** Joins whose counters and container's attempt the event may touch; 'all' of the run's for a retry. */
export function joinsOf(plan: Plan, state: State, event: EngineEvent): 'all' | readonly string[] {
  if (event.type === 'retry_requested') return 'all';
  const paths = new Set<string>();
  if (mayGoOn(state, event))
    for (const attempt of state.attempts.values())
      if (isContainer(plan, attempt)) paths.add(joinPathOf(attempt));
  for (const attempt of attemptsAbout(state, event)) {
    const around = joinOf(attempt.scope);
    if (around !== null && (attempt.status === 'RUNNING' || mayEndAtOnce(plan, attempt))) paths.add(around);
    if (attempt.status === 'RUNNING' && isContainer(plan, attempt)) paths.add(joinPathOf(attempt));
  }
  return [...paths];
}

export function needsOf(plan: Plan, state: State, event: EngineEvent): Needs {
  if (event.type === 'retry_requested') return retryNeeds(plan, state, event);
  if (event.type === 'answer_requested') return { ...NO_NEEDS, outputs: outputToAnswer(state) };
  if (!isOpenRun(state.run)) return NO_NEEDS;
  const needs = new NeedsCollector(plan, state);
  switch (event.type) {
    case 'execution_requested':
      if (state.run.status === 'PENDING') needs.starting(plan.startStep, '');
      break;
    case 'woken':
      if (event.stepExecutionId === null && state.run.status === 'PENDING')
        needs.starting(plan.startStep, '');
      break;
    case 'signal_received':
      needs.signal(event.signalId);
      break;
  }
  if (mayGoOn(state, event)) needs.ending(lastOfEnded(state.run, state.attempts.values()));
  const answersWell = event.type !== 'agent_answered' || event.outcome.status === 'completed';
  for (const attempt of attemptsAbout(state, event)) {
    if (event.type === 'given_up') needs.settling(attempt, false);
    else if (attempt.status === 'PENDING') needs.startingAttempt(attempt);
    else if (isContainer(plan, attempt)) needs.settlingContainer(attempt, event.type === 'woken');
    else needs.settling(attempt, answersWell);
  }
  return needs.needs();
}

/**
 * Whether what the event needs hangs on what the records before it did: whom a signal finds waiting, what a retry goes on with. In
 * a batch it comes first of its run, or in a transaction after.
 */
export function mustComeFirst({ type }: EngineEvent): boolean {
  return type === 'signal_received' || type === 'retry_requested';
}

/** It may be held no more after it: what a pause held back follows then. */
function mayGoOn({ run }: State, event: EngineEvent): boolean {
  const isWoken = event.type === 'woken' && event.stepExecutionId === null;
  return event.type === 'resume_requested' || (isWoken && run.pausedAt !== null);
}

/** The attempts that an event settles or starts: of those loaded. */
function attemptsAbout(state: State, event: EngineEvent): Attempt[] {
  switch (event.type) {
    case 'agent_answered':
    case 'step_requested':
    case 'given_up':
    case 'woken': {
      const attempt = event.stepExecutionId === null ? undefined : state.attempts.get(event.stepExecutionId);
      return attempt && isOpenAttempt(attempt) ? [attempt] : [];
    }
    case 'signal_received':
      return [...state.attempts.values()].filter(
        ({ status, signalName }) => status === 'RUNNING' && signalName === event.name,
      );
    default:
      return [];
  }
}

/** Nothing is waited for: it ends when it starts. Another does where its input cannot be made, which is found out then. */
function mayEndAtOnce(plan: Plan, { stepId }: Attempt): boolean {
  const { answered, signalled, woken } = behaviourOf(stepOf(plan, stepId));
  return answered === undefined && signalled === undefined && woken === undefined;
}

function isContainer(plan: Plan, { stepId }: Attempt): boolean {
  return behaviourOf(stepOf(plan, stepId)).opensScopes ?? false;
}

function retryNeeds(plan: Plan, state: State, event: RetryRequested): Needs {
  const target = stepToRetry(state.attempts.values(), event);
  const followers = followersOf(plan, state);
  if (!target) {
    const outputs = event.parentStepExecutionId ? outputToAnswer(state) : outputToEndWith(state);
    return { ...NO_NEEDS, outputs, visits: followers, unfinishedChildren: true };
  }
  const { scope, stepId } = target;
  // The scopes that it goes back into, which may have completed.
  const children = scopesAround(scope).filter((each) => each !== '');
  // What those came to counts in their joins no more.
  const gathered = children.flatMap((each) => joinOf(each) ?? []);
  // Siblings go on too; the top and its own scope go back.
  const besides = followers.filter((each) => each.scope !== '' && each.scope !== scope);
  const visits = [{ scope, stepId }, ...besides];
  const earlier = beforeEntering(state, target);
  return { ...NO_NEEDS, visits, earlier, children, gathered, unfinishedChildren: true };
}

/**
 * The scopes around an attempt, each with the time before which what it had was set: within a scope one attempt follows the other,
 * and is opened later, whatever the clocks. So in a scope around it is the opening of the step that it stands in.
 */
function beforeEntering({ attempts, joins }: State, { scope, createdAt }: Attempt): Needs['earlier'] {
  let before = createdAt;
  return scopesAround(scope).map((each, i, around) => {
    const join = i === 0 ? undefined : joins.get(joinOf(around[i - 1] as string) ?? '');
    before = attempts.get(join?.stepExecutionId ?? '')?.createdAt ?? before;
    return { scope: each, before };
  });
}

/** Steps that a scope goes on with where its last attempt completed and nothing follows, or none was made at all. */
function followersOf(plan: Plan, { attempts }: State): StepInScope[] {
  const lasts = [...attempts.values()];
  const followers = lasts.flatMap(({ scope, stepId, status }) => {
    const next = status === 'COMPLETED' ? plan.steps.get(stepId)?.next : null;
    return next ? [{ scope, stepId: next }] : [];
  });
  const hasBegun = lasts.some(({ scope }) => scope === '');
  return hasBegun ? followers : [...followers, { scope: '', stepId: plan.startStep }];
}

/** The output of a run that has completed is that of its last step. */
function outputToAnswer({ attempts, run }: State): StepInScope[] {
  if (run.status !== 'COMPLETED') return [];
  const last = latest([...attempts.values()].filter(({ scope }) => scope === ''));
  return last === undefined ? [] : [{ scope: '', stepId: last.stepId }];
}

/** One that was cancelled after its last step. */
function outputToEndWith({ attempts, run }: State): StepInScope[] {
  if (run.status !== 'CANCELLED') return [];
  const last = latest([...attempts.values()].filter(({ scope }) => scope === ''));
  return last?.status === 'COMPLETED' ? [{ scope: '', stepId: last.stepId }] : [];
}

class NeedsCollector {
  readonly #plan: Plan;
  readonly #state: State;
  #workflowInput = false;
  readonly #variables = new Set<string>();
  readonly #errors = new Set<string>();
  readonly #outputs = new Map<string, StepInScope>();
  readonly #visits = new Map<string, StepInScope>();
  readonly #children = new Set<string>();
  readonly #gathered = new Set<string>();
  readonly #openWithin = new Set<string>();
  readonly #resuming = new Set<string>();
  readonly #signalNames = new Set<string>();
  readonly #signalIds = new Set<string>();
  readonly #workflows: { name: string; version: number | null }[] = [];

  constructor(plan: Plan, state: State) {
    this.#plan = plan;
    this.#state = state;
  }

  signal(id: string): void {
    this.#signalIds.add(id);
  }

  /** What the run comes to, where its last step has settled. */
  ending(last: Attempt | null): void {
    if (last?.status === 'COMPLETED')
      this.#outputs.set(stepKey('', last.stepId), { scope: '', stepId: last.stepId });
  }

  /** A step about to be entered, for the first time or again. */
  starting(stepId: string, scope: string, settled: string | null = null): void {
    const step = stepOf(this.#plan, stepId);
    this.#visit(step, scope);
    this.#start(step, scope, settled);
  }

  /** A PENDING attempt: its visit is counted. */
  startingAttempt({ stepId, scope, inputData }: Attempt): void {
    const step = stepOf(this.#plan, stepId);
    this.#start(step, scope, null, inputData !== null && behaviourOf(step).takesInput);
  }

  /** @param mayComplete false where the event says that it failed */
  settling(attempt: Attempt, mayComplete: boolean): void {
    const step = stepOf(this.#plan, attempt.stepId);
    if (!mayComplete) return;
    this.#completing(step, attempt.scope, null);
    if (step.next !== null) this.starting(step.next, attempt.scope, step.id);
  }

  settlingContainer(attempt: Attempt, mayTimeOut: boolean): void {
    const step = stepOf(this.#plan, attempt.stepId);
    const path = joinPathOf(attempt);
    const join = this.#state.joins.get(path);
    const isOver = join?.isOver ?? false;
    const waiting = join?.nextWaiting ?? null;
    if (waiting !== null && !isOver) this.#resuming.add(childScope(path, waiting));
    if (isOver || mayTimeOut) this.#openWithin.add(path);
    // Not before the join is over: what an earlier event of the same batch adds to it would be missed.
    if (isOver) this.#gathered.add(path);
    this.#completing(step, attempt.scope, null);
    if (step.next !== null) this.#visit(stepOf(this.#plan, step.next), attempt.scope);
  }

  needs(): Needs {
    return {
      ...NO_NEEDS,
      workflowInput: this.#workflowInput,
      variables: [...this.#variables],
      errors: [...this.#errors],
      earlier: [],
      outputs: [...this.#outputs.values()],
      visits: [...this.#visits.values()],
      children: [...this.#children],
      gathered: [...this.#gathered],
      openWithin: [...this.#openWithin],
      resuming: [...this.#resuming],
      signalNames: [...this.#signalNames],
      signalIds: [...this.#signalIds],
      workflows: this.#workflows,
      unfinishedChildren: false,
    };
  }

  #start(step: PlanStep, scope: string, settled: string | null, isMade = false): void {
    if (!isMade) this.#reads(step, scope, step.reads, settled);
    // It may complete at once.
    this.#completing(step, scope, settled);
    if (step.next !== null) this.#visit(stepOf(this.#plan, step.next), scope);
    const { needsToStart, leadsTo } = behaviourOf(step);
    for (const stepId of leadsTo?.(step) ?? []) this.#visit(stepOf(this.#plan, stepId), scope);
    const { signalNames = [], workflows = [] } = needsToStart?.(step) ?? {};
    for (const name of signalNames) this.#signalNames.add(name);
    this.#workflows.push(...workflows);
  }

  /** What its output and the variables are made of. */
  #completing(step: PlanStep, scope: string, settled: string | null): void {
    this.#reads(step, scope, step.settleReads, settled);
    if (step.assign !== null) this.#chain(this.#variables, scope);
  }

  #visit(step: PlanStep, scope: string): void {
    if (mayComeAgain(step, this.#state.run))
      this.#visits.set(stepKey(scope, step.id), { scope, stepId: step.id });
  }

  /** @param settled the step whose output the event itself brings */
  #reads(step: PlanStep, scope: string, reads: Reads, settled: string | null): void {
    const around = scopesAround(scope);
    this.#workflowInput ||= reads.workflowInput;
    if (reads.variables) this.#chain(this.#variables, scope);
    if (reads.error) this.#chain(this.#errors, scope);
    for (const stepId of reads.steps) {
      const seen = scopeSeen(this.#plan, step, around, stepId);
      if (stepId === settled && seen === scope) continue;
      this.#outputs.set(stepKey(seen, stepId), { scope: seen, stepId });
    }
    const item = reads.item ? itemScope(this.#plan, step, around) : null;
    if (item !== null) this.#children.add(item);
  }

  #chain(scopes: Set<string>, scope: string): void {
    for (const each of scopesAround(scope)) scopes.add(each);
  }
}
