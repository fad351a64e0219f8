import type { Json } from '../../engine/json.ts';
import type { Plan, PlanStep } from '../../engine/plan.ts';
import type { Attempt, AttemptStatus, Failure } from '../../engine/state.ts';
import { behaviourOf } from '../../engine/steps/all.ts';
import type { OutputSource } from './mocked-agents.ts';

/** One visit of one step with all its attempts; what it came to is its last attempt's. Times are epoch milliseconds, virtual. */
export interface TracedNode {
  readonly stepId: string;
  readonly scope: string;
  readonly visit: number;
  readonly status: AttemptStatus;
  /** Of the first attempt; null where its time never came. */
  readonly startedAt: number | null;
  readonly completedAt: number | null;
  readonly inputData: Json;
  readonly outputData: Json;
  readonly error: Failure | null;
  readonly logs: readonly string[];
  /** Null where no agent was asked. */
  readonly source: OutputSource | null;
  readonly attempts: readonly TracedAttempt[];
}

export type TracedAttempt = Pick<Attempt, 'attempt' | 'status' | 'startedAt' | 'completedAt' | 'error'>;

/** In the order in which they were entered. */
export function traceOf(
  attempts: Iterable<Attempt>,
  sources: ReadonlyMap<string, OutputSource>,
): TracedNode[] {
  const visits = new Map<string, [Attempt, ...Attempt[]]>();
  for (const attempt of attempts) {
    const key = JSON.stringify([attempt.scope, attempt.stepId, attempt.visit]);
    const visit = visits.get(key);
    if (visit === undefined) visits.set(key, [attempt]);
    else visit.push(attempt);
  }
  return [...visits.values()].map((visit) => nodeOf(visit, sources));
}

function nodeOf(
  attempts: readonly [Attempt, ...Attempt[]],
  sources: ReadonlyMap<string, OutputSource>,
): TracedNode {
  const last = attempts.at(-1) ?? attempts[0];
  return {
    stepId: last.stepId,
    scope: last.scope,
    visit: last.visit,
    status: last.status,
    startedAt: attempts[0].startedAt,
    completedAt: last.completedAt,
    inputData: last.inputData,
    outputData: last.outputData,
    error: last.error,
    logs: last.logs ?? [],
    source: sources.get(last.stepExecutionId) ?? null,
    attempts: attempts.map(({ attempt, status, startedAt, completedAt, error }) => ({
      attempt,
      status,
      startedAt,
      completedAt,
      error,
    })),
  };
}

/** A way on from a step that was entered, to one that never was. */
export interface Branch {
  readonly from: string;
  readonly to: string;
}

/** In the order of the plan. */
export function branchesNotTaken({ steps }: Plan, entered: ReadonlySet<string>): Branch[] {
  return [...steps.values()]
    .filter(({ id }) => entered.has(id))
    .flatMap((step) =>
      waysOn(step)
        .filter((to) => !entered.has(to))
        .map((to) => ({ from: step.id, to })),
    );
}

/** The steps that may come after one: those it leads to, the first of its branches or items, and what catches its errors. */
export function waysOn(step: PlanStep): string[] {
  const { leadsTo, opens } = behaviourOf(step);
  const caught = step.catch.map(({ next }) => next);
  const ways = [...(leadsTo?.(step) ?? []), ...(opens?.(step) ?? []), step.next, ...caught];
  return [...new Set(ways.filter((way) => way !== null))];
}
