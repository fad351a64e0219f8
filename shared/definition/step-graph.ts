import { isJsonObject, type JsonObject } from '../engine/json.ts';

/** The steps of a definition and where they lead, as far as they can be told of one that may have anything wrong with it. */
export interface StepGraph {
  /** Null where `start_step` is wrong in itself. */
  readonly start: string | null;
  readonly steps: ReadonlyMap<string, StepNode>;
  /** Ids that steps say they have and are not known by: what names one of these may be right. */
  readonly otherIds: ReadonlySet<string>;
}

export interface StepNode {
  readonly id: string;
  /** The id that the step gives itself. */
  readonly givenId: string | null;
  /** Null at the end; undefined where `next_step` is wrong in itself, so that it may have been meant to lead anywhere. */
  readonly next: string | null | undefined;
  /** Null where it is no object. */
  readonly mapping: JsonObject | null;
}

/**
 * @param input the definition as it came
 * @param isWrong whether the schema refuses what is at a path
 */
export function readStepGraph(input: unknown, isWrong: (path: string) => boolean): StepGraph {
  const definition = isJsonObject(input) ? input : {};
  const steps = isJsonObject(definition.steps) ? definition.steps : {};
  const nodes = Object.entries(steps).map(([id, step]) => nodeOf(id, step, isWrong));
  const { start_step: start } = definition;
  return {
    start: typeof start === 'string' && !isWrong('start_step') ? start : null,
    steps: new Map(nodes.map((node) => [node.id, node])),
    otherIds: new Set(
      nodes.flatMap(({ id, givenId }) => (givenId === null || givenId === id ? [] : [givenId])),
    ),
  };
}

function nodeOf(id: string, step: unknown, isWrong: (path: string) => boolean): StepNode {
  const path = `steps.${id}`;
  if (!isJsonObject(step)) return { id, givenId: null, next: undefined, mapping: null };
  const { id: givenId, next_step: next = null, input_mapping: mapping } = step;
  return {
    id,
    givenId: typeof givenId === 'string' && !isWrong(`${path}.id`) ? givenId : null,
    next: (typeof next === 'string' || next === null) && !isWrong(`${path}.next_step`) ? next : undefined,
    mapping: isJsonObject(mapping) ? mapping : null,
  };
}

/** The steps in the order in which a run comes by them, and why it goes no further. */
export interface Walk {
  readonly places: ReadonlyMap<string, number>;
  /** `lost`: at a step that leads nowhere. */
  readonly end: 'end' | 'lost' | { readonly cycle: { readonly from: string; readonly to: string } };
}

export function walkFrom(start: string, { steps }: Pick<StepGraph, 'steps'>): Walk {
  const places = new Map<string, number>();
  for (let id = start, before = ''; ; ) {
    const node = steps.get(id);
    if (node === undefined) return { places, end: 'lost' };
    if (places.has(id)) return { places, end: { cycle: { from: before, to: id } } };
    places.set(id, places.size);
    if (node.next === null) return { places, end: 'end' };
    if (node.next === undefined) return { places, end: 'lost' };
    [before, id] = [id, node.next];
  }
}
