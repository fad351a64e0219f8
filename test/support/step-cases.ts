import { decide } from '../../shared/engine/decide.ts';
import type { Decision } from '../../shared/engine/effects.ts';
import type { EngineEvent } from '../../shared/engine/event.ts';
import type { PlanSettings, PlanStep } from '../../shared/engine/plan.ts';
import type { Attempt, Run, State } from '../../shared/engine/state.ts';
import {
  attempt,
  draws,
  type GivenData,
  planOf,
  planStep,
  requestedAttempt,
  run,
  stateOf,
  T0,
} from './engine-states.ts';
import { tell } from './tell-decision.ts';

/** The attempt `a-1` of the step `it`, in a workflow that goes on with `then`, or with `handler` where an error is caught. */
export interface StepCase {
  readonly run?: Partial<Run>;
  readonly attempt: Attempt;
  readonly beside?: readonly Attempt[];
  readonly data?: GivenData;
  readonly settings?: Partial<PlanSettings>;
}

export function decideStep(steps: readonly PlanStep[], given: StepCase, event: EngineEvent): Decision {
  const plan = planOf([...steps, planStep('then'), planStep('handler')], given.settings);
  const state = stateOf(run(given.run), [given.attempt, ...(given.beside ?? [])], given.data);
  return decide(plan, state, event, T0, draws());
}

export function tellStep(steps: readonly PlanStep[], given: StepCase, event: EngineEvent): string {
  return tell(decideStep(steps, given, event));
}

export function decided(decision: Decision): State {
  if (!decision.ok) throw new Error(`Refused: ${decision.code}`);
  return decision.state;
}

export const requested = (given: Partial<Attempt> = {}) => ({ ...requestedAttempt, stepId: 'it', ...given });
export const running = (given: Partial<Attempt> = {}) =>
  attempt({ stepId: 'it', deadlineAt: null, wakeAt: null, inputData: null, ...given });
export const overdue = (given: Partial<Attempt> = {}) =>
  running({ deadlineAt: T0 - 1, wakeAt: T0 - 1, ...given });
export const settled = (status: Attempt['status']) => running({ status, completedAt: T0 - 1_000 });
export const paused: Partial<Run> = { pausedAt: T0 - 2_000, heldBy: 'run' };

const about = { type: 'agent_answered', stepExecutionId: 'a-1', attempt: null, logs: null } as const;
export const events = {
  requested: { type: 'step_requested', stepExecutionId: 'a-1' },
  woken: { type: 'woken', stepExecutionId: 'a-1', at: T0 },
  completed: { ...about, outcome: { status: 'completed', output: 'out' } },
  failed: { ...about, outcome: { status: 'failed', error: { code: 'BAD', message: 'no', retryable: true } } },
  signalled: { type: 'signal_received', name: 'go', signalId: 's-1', payload: { go: 1 } },
  cancelled: { type: 'cancellation_requested', by: 'ann', reason: null },
  paused: { type: 'pause_requested' },
  resumed: { type: 'resume_requested' },
} satisfies Record<string, EngineEvent>;
export type EventName = keyof typeof events;

/** What every step in a state says to the events that are not about it. */
export const UNTOUCHED = {
  signalled: 'RUNNING | it#1 RUNNING | update RUNNING',
  cancelled:
    'CANCELLED | it#1 CANCELLED | update RUNNING it CANCELLED, update CANCELLED, announce cancellation',
  paused: 'RUNNING paused | it#1 RUNNING | update PAUSED',
  resumed: 'RUN_NOT_PAUSED',
} as const;
export const UNTOUCHED_PAUSED = {
  requested: 'RUN_PAUSED',
  woken: 'RUN_PAUSED',
  signalled: 'RUNNING paused | it#1 RUNNING | update PAUSED',
  cancelled:
    'CANCELLED | it#1 CANCELLED | update PAUSED it CANCELLED, update CANCELLED, announce cancellation',
  paused: 'RUN_PAUSED',
  resumed: 'RUNNING | it#1 RUNNING | update RUNNING',
} as const;
export const SETTLED = {
  requested: 'ATTEMPT_CLOSED',
  woken: 'ATTEMPT_CLOSED',
  completed: 'ATTEMPT_CLOSED',
  failed: 'ATTEMPT_CLOSED',
} as const;
export const NOBODY_ASKED = { completed: 'UNKNOWN_ATTEMPT', failed: 'UNKNOWN_ATTEMPT' } as const;

/** The rows of a table: a state, an event, what is decided. */
export function rowsOf<Name extends string>(
  table: Readonly<Record<Name, Partial<Record<EventName, string>>>>,
) {
  return (Object.keys(table) as Name[]).flatMap((state) =>
    (Object.keys(table[state]) as EventName[]).map((event) => ({
      state,
      event,
      expected: table[state][event] as string,
    })),
  );
}
