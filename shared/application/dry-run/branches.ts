import type { Plan } from '../../engine/plan.ts';
import { waysOn } from '../../engine/ways-on.ts';

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
