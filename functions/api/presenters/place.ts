import * as z from 'zod';
import type { Plan } from '../../../shared/engine/plan.ts';
import { placeOf } from '../../../shared/engine/scope-path.ts';
import { count } from '../fields/response-fields.ts';

/* Where in a run a step stands, as clients read it. Scopes themselves are paths (`shared/engine/scope-path.ts`). */

const containerId = z
  .string()
  .describe('The parallel or map step.')
  .meta({ examples: ['each'] });

/** Of the innermost branch or item; both null at the top of a run. */
export const placeFields = {
  branch: z
    .strictObject({ step_id: containerId, name: z.string().meta({ examples: ['left'] }) })
    .nullable()
    .describe('The branch that it stands in.')
    .meta({ examples: [null] }),
  item: z
    .strictObject({ step_id: containerId, index: count.describe('From 0.') })
    .nullable()
    .describe('The item that it stands in.')
    .meta({ examples: [null] }),
};

type PresentedPlace = z.infer<z.ZodObject<typeof placeFields>>;

/** @param plan null where it is not known: a whole number is an item then. */
export function presentPlace(scope: string, plan: Plan | null): PresentedPlace {
  const place = placeOf(scope);
  if (place === null) return { branch: null, item: null };
  const { stepId: step_id, child } = place;
  const type = plan?.steps.get(step_id)?.type;
  const isItem = type === undefined ? /^\d{1,15}$/.test(child) : type === 'map';
  return isItem
    ? { branch: null, item: { step_id, index: Number(child) } }
    : { branch: { step_id, name: child }, item: null };
}

/** `both[left]`, `each[3]`, `each#2[3].both[left]`; empty at the top. */
export function scopeLabel(scope: string): string {
  const place = placeOf(scope);
  if (place === null) return '';
  const around = scopeLabel(place.around);
  return `${around === '' ? '' : `${around}.`}${visitLabel(place.stepId, place.visit)}[${place.child}]`;
}

/** What is shown of what stands in a branch or item: `each[3].work`. */
export function withScope(scope: string, name: string): string {
  const label = scopeLabel(scope);
  return label === '' ? name : `${label}.${name}`;
}

/** Of one visit of one step. */
export interface NodePlace {
  readonly scope: string;
  readonly step_id: string;
  readonly visit: number;
}

/**
 * `work`, `work#2` where a loop came by again, `each[3].work`: a step's id where it ran once, at the top. Ids may be any text:
 * where two would have the same key, the later one's ends in another `#`.
 * @param ids of all steps: each is its first visit's key
 */
export function nodeKeys(nodes: readonly NodePlace[], ids: Iterable<string> = []): string[] {
  const taken = new Set(ids);
  return nodes.map(({ scope, step_id, visit }) => {
    if (scope === '' && visit === 1) return step_id;
    let key = withScope(scope, visitLabel(step_id, visit));
    while (taken.has(key)) key += '#';
    taken.add(key);
    return key;
  });
}

function visitLabel(stepId: string, visit: number): string {
  return visit === 1 ? stepId : `${stepId}#${visit}`;
}
