import type { PlanStep } from './plan.ts';
import { behaviourOf } from './steps/all.ts';

/** The steps that may come after one: those it leads to, the first of its branches or items, and what catches its errors. */
export function waysOn(step: PlanStep): string[] {
  const { leadsTo, opens } = behaviourOf(step);
  const caught = step.catch.map(({ next }) => next);
  const ways = [...(leadsTo?.(step) ?? []), ...(opens?.(step) ?? []), step.next, ...caught];
  return [...new Set(ways.filter((way) => way !== null))];
}
