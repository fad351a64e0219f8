import type { PlacedStep } from './placed-steps.ts';
import type { Warning } from './warning.ts';

/** Branches and items: numbers of them that change nothing. */
export function countsWithoutEffect({ path, step }: PlacedStep, maxMapItems: number): Warning[] {
  switch (step.type) {
    case 'parallel': {
      // Alone, it may yet be what a policy, a clause or a time is for all of.
      const isGroup =
        step.retry !== undefined || step.catch !== undefined || step.timeout_seconds !== undefined;
      return Object.keys(step.branches).length > 1 || isGroup
        ? []
        : [
            {
              path: `${path}.branches`,
              message: 'there is one branch: nothing runs beside it',
              hint: 'Let its steps stand where the parallel step stands',
            },
          ];
    }
    case 'map': {
      const { max_concurrency: atOnce = 0, tolerated_failures: tolerated = 0 } = step;
      return [
        ...(atOnce > maxMapItems
          ? [
              {
                path: `${path}.max_concurrency`,
                message: `${atOnce} are never under way at once: a map has at most ${maxMapItems} items`,
                hint: `Make it ${maxMapItems} or less`,
              },
            ]
          : []),
        ...(tolerated >= maxMapItems
          ? [
              {
                path: `${path}.tolerated_failures`,
                message: `so many never fail: a map has at most ${maxMapItems} items`,
                hint: 'Where every item may fail, say so by tolerated_failure_percentage: 100',
              },
            ]
          : []),
      ];
    }
    default:
      return [];
  }
}
