import type { Draws } from '../../shared/engine/draft.ts';
import type { Json } from '../../shared/engine/json.ts';
import { EVERYTHING } from '../../shared/engine/known.ts';
import type {
  AgentStep,
  Expression,
  Plan,
  PlanSettings,
  PlanStep,
  Reads,
  RetryPolicy,
} from '../../shared/engine/plan.ts';
import {
  type Attempt,
  type Child,
  type Join,
  type Run,
  type State,
  stepKey,
} from '../../shared/engine/state.ts';

/** Small runs for the engine's tests: all times are counted from `T0`. */
export const T0 = Date.parse('2026-01-15T10:30:00.000Z');
export const RUN_ID = 'run-1';

export function policy(given: Partial<RetryPolicy> = {}): RetryPolicy {
  return {
    maxAttempts: 3,
    initialIntervalMs: 1_000,
    backoffRate: 2,
    maxIntervalMs: 60_000,
    jitter: 'none',
    codes: null,
    ...given,
  };
}

export const NOTHING: Reads = {
  workflowInput: false,
  variables: false,
  item: false,
  error: false,
  steps: [],
};

/** What is made of what is seen, without saying what it reads: these states have it all. */
export function expression(evaluate: Expression['evaluate'], reads: Partial<Reads> = {}): Expression {
  return { reads: { ...NOTHING, ...reads }, evaluate };
}

export const broken = expression(() => {
  throw new Error('it is broken');
});

/** A step's fields that all types have, as they are where its definition says nothing. */
export function stepBase(id: string) {
  return {
    id,
    name: id,
    label: id,
    within: null,
    depth: 0,
    next: null,
    inCycle: false,
    reads: NOTHING,
    settleReads: NOTHING,
    output: null,
    assign: null,
    retry: [],
    catch: [],
    timeoutMs: null,
  };
}

export function planStep(id: string, given: Partial<AgentStep> = {}): AgentStep {
  const input = {
    reads: { ...NOTHING, workflowInput: true },
    evaluate: ({ workflowInput }: { workflowInput: Json }) => ({ given: workflowInput }),
  };
  return {
    ...stepBase(id),
    type: 'agent',
    label: 'agent',
    agentName: `${id}-agent`,
    input,
    reads: (given.input ?? input).reads,
    heartbeatMs: null,
    retry: [policy()],
    ...given,
  };
}

export const SETTINGS: PlanSettings = {
  defaultTimeoutMs: 60_000,
  longStopMs: 3_600_000,
  pickUpMs: 30_000,
  maxPayloadBytes: 200,
  maxStepsPerRun: 25_000,
  maxRunDepth: 10,
  maxMapItems: 10_000,
};

/** The first step is where it starts. */
export function planOf(
  steps: readonly PlanStep[],
  settings: Partial<PlanSettings> = {},
  timeoutMs = null,
): Plan {
  return {
    startStep: steps[0]?.id ?? '',
    steps: new Map(steps.map((step) => [step.id, step])),
    timeoutMs,
    settings: { ...SETTINGS, ...settings },
  };
}

/** `extract` and then `transform`, which reads what `extract` brought. */
export function pipelinePlan(
  given: { extract?: Partial<AgentStep>; transform?: Partial<AgentStep> } = {},
): Plan {
  return planOf([
    planStep('extract', { next: 'transform', ...given.extract }),
    planStep('transform', {
      input: {
        reads: { ...NOTHING, steps: ['extract'] },
        evaluate: ({ outputs }) => ({ data: outputs.get('extract') ?? null }),
      },
      ...given.transform,
    }),
  ]);
}

export function run(given: Partial<Run> = {}): Run {
  return {
    runId: RUN_ID,
    status: 'RUNNING',
    sequence: 10,
    startedAt: T0 - 5_000,
    completedAt: null,
    outputData: null,
    error: null,
    cancellation: null,
    retriedAt: null,
    pausedAt: null,
    heldBy: null,
    isWorkflowPaused: false,
    stepsStarted: 1,
    timeoutAt: null,
    revisits: false,
    parent: null,
    depth: 0,
    wakeAt: null,
    ...given,
  };
}

export const pendingRun = run({
  status: 'PENDING',
  sequence: 0,
  startedAt: null,
  stepsStarted: 0,
  wakeAt: T0 + 30_000,
});
export const pausedRun = run({ pausedAt: T0 - 2_000, heldBy: 'run' });
export const completedRun = run({ status: 'COMPLETED', completedAt: T0 - 1_000 });
export const failedRun = run({
  status: 'FAILED',
  completedAt: T0 - 1_000,
  error: { code: 'BAD', message: 'no', stepId: 'extract', attempt: 1 },
});
export const cancelledRun = run({
  status: 'CANCELLED',
  completedAt: T0 - 1_000,
  cancellation: { by: 'ann', reason: null, at: T0 - 1_000 },
});

export function attempt(given: Partial<Attempt> = {}): Attempt {
  return {
    stepExecutionId: 'a-1',
    stepId: 'extract',
    scope: '',
    visit: 1,
    attempt: 1,
    policyAttempt: 1,
    policyRetries: null,
    status: 'RUNNING',
    inputData: { given: 'in' },
    outputData: null,
    error: null,
    logs: null,
    createdAt: T0 - 5_000,
    startedAt: T0 - 5_000,
    completedAt: null,
    timeoutMs: null,
    dueAt: null,
    deadlineAt: T0 + 3_655_000,
    acceptedAt: null,
    heartbeatMs: null,
    heartbeatDueAt: null,
    republishedAt: null,
    signalName: null,
    childRunId: null,
    wakeAt: T0 + 3_655_000,
    ...given,
  };
}

/** Inserted by a request that starts it at once. */
export const requestedAttempt = attempt({
  status: 'PENDING',
  inputData: null,
  startedAt: null,
  deadlineAt: null,
  wakeAt: T0 + 25_000,
});
/** Waits for its backoff, which ends at `T0 + 1_000`. */
export const waitingAttempt = attempt({
  status: 'PENDING',
  attempt: 2,
  policyAttempt: 2,
  startedAt: null,
  deadlineAt: null,
  dueAt: T0 + 1_000,
  wakeAt: T0 + 1_000,
});

export function join(given: Partial<Join> = {}): Join {
  return {
    path: 'it#1',
    stepId: 'it',
    stepExecutionId: 'a-1',
    total: 2,
    needed: 2,
    tolerated: 0,
    started: 2,
    waiting: 0,
    nextWaiting: null,
    completed: 0,
    failed: 0,
    outputBytes: 0,
    isOver: false,
    failure: null,
    ...given,
  };
}

export function child(scope: string, index: number, given: Partial<Child> = {}): Child {
  return {
    scope,
    index,
    status: 'PENDING',
    nextWaiting: null,
    input: null,
    output: null,
    error: null,
    ...given,
  };
}

/** What a state has beside its run and attempts; outputs and visits of the top by step, the rest as `State` has it. */
export interface GivenData
  extends Partial<Omit<State, 'run' | 'attempts' | 'outputs' | 'visits' | 'joins' | 'children'>> {
  readonly outputs?: Readonly<Record<string, Json>>;
  readonly visits?: Readonly<Record<string, number>>;
  readonly joins?: readonly Join[];
  readonly children?: readonly Child[];
}

export function stateOf(run: Run, attempts: readonly Attempt[] = [], data: GivenData = {}): State {
  const { outputs = {}, visits = {}, joins = [], children = [], ...given } = data;
  const atTop = <Value>([stepId, value]: [string, Value]) => [stepKey('', stepId), value] as const;
  return {
    run,
    known: EVERYTHING,
    attempts: new Map(attempts.map((attempt) => [attempt.stepExecutionId, attempt])),
    joins: new Map(joins.map((join) => [join.path, join])),
    children: new Map(children.map((child) => [child.scope, child])),
    signals: new Map(),
    workflowInput: 'in',
    variables: new Map(),
    errors: new Map(),
    earlier: new Map(),
    sets: [],
    outputs: new Map(Object.entries(outputs).map(atTop)),
    visits: new Map(Object.entries(visits).map(atTop)),
    workflows: new Map(),
    gathered: new Map(),
    ...given,
  };
}

/** Ids `n-1`, `n-2`, …, which sort after the `a-…` of the attempts that are there; jitter as given. */
export function draws(jitter = 0.5): Draws {
  let count = 0;
  return { id: () => `n-${++count}`, jitter: () => jitter };
}
