import type { JsonObject } from '../../engine/json.ts';
import { compileCodes } from '../catch.ts';
import type { PlacedStep } from './placed-steps.ts';
import type { Warning } from './warning.ts';

interface Clause {
  readonly codes?: readonly string[] | undefined;
}

/** Of the lists of which the first that fits counts: what is never come to. */
export function clausesWithoutEffect({ path, step }: PlacedStep): Warning[] {
  return [
    ...('catch' in step ? coveredClauses(`${path}.catch`, step.catch ?? []) : []),
    ...('retry' in step && Array.isArray(step.retry) ? coveredClauses(`${path}.retry`, step.retry) : []),
    ...(step.type === 'choice' ? repeatedRules(`${path}.choices`, step.choices) : []),
  ];
}

/** Those whose every code one before them is for. */
export function coveredClauses(path: string, clauses: readonly Clause[]): Warning[] {
  const covered = new Set<string>();
  let forAll: number | null = null;
  return clauses.flatMap((clause, i) => {
    const codes = compileCodes(clause.codes);
    if (forAll !== null) {
      return [
        {
          path: `${path}.${i}`,
          message: `never counts: ${path}.${forAll} before it is for every error`,
          hint: `Put it before ${path}.${forAll}, or leave it out`,
        },
      ];
    }
    if (codes === null) {
      forAll = i;
      return [];
    }
    const isCovered = codes.every((code) => covered.has(code));
    for (const code of codes) covered.add(code);
    if (!isCovered) return [];
    return [
      {
        path: `${path}.${i}`,
        message: `never counts: what is before it is for ${codes.join(', ')} already`,
        hint: 'Leave it out, or name other codes',
      },
    ];
  });
}

function repeatedRules(path: string, rules: readonly { readonly next_step: string }[]): Warning[] {
  const first = new Map<string, number>();
  return rules.flatMap(({ next_step: _next, ...condition }, i) => {
    const text = inOneOrder(condition);
    const before = first.get(text);
    if (before === undefined) {
      first.set(text, i);
      return [];
    }
    return [
      {
        path: `${path}.${i}`,
        message: `is never come to: ${path}.${before} before it has the same condition`,
        hint: 'Change the condition, or leave the rule out',
      },
    ];
  });
}

/** JSON text that is the same whatever the order of the fields. */
function inOneOrder(condition: object): string {
  return JSON.stringify(condition, (_, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value as JsonObject).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
}
