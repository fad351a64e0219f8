import { limits } from '../config/limits.ts';
import { isJsonObject, type Json, type JsonObject } from '../engine/json.ts';

/** The steps of a definition and where they lead, as far as they can be told of one that may have anything wrong with it. */
export interface StepGraph {
  /** Outer ones before those inside them. */
  readonly scopes: readonly ScopeGraph[];
  /** Of all scopes; of steps that share an id, the first. */
  readonly steps: ReadonlyMap<string, StepNode>;
}

/** What one sequence of decisions runs through: the top, a branch, or what is done for each item. */
export interface ScopeGraph {
  /** What stands before `start_step` and `steps` in paths: nothing, or `steps.p.branches.b.`. */
  readonly path: string;
  /** Null where `start_step` is wrong in itself. */
  readonly start: string | null;
  readonly steps: ReadonlyMap<string, StepNode>;
  /** Ids that steps say they have and are not known by: what names one of these may be right. */
  readonly otherIds: ReadonlySet<string>;
  /** The step that it is inside; null at the top. */
  readonly container: StepNode | null;
  /** How long the path is, at the most, of what runs in it (scope-path.ts). */
  readonly pathLength: number;
  /** It runs once for each item. */
  readonly isPerItem: boolean;
  /** `steps` is there and has none. */
  readonly isEmpty: boolean;
}

export interface StepNode {
  readonly id: string;
  readonly path: string;
  /** The step as it came; empty where it is no object. */
  readonly given: JsonObject;
  /** The id that the step gives itself. */
  readonly givenId: string | null;
  /** In the order in which they are written. */
  readonly exits: readonly Exit[];
  /** Its scope may end with it. */
  readonly isEnd: boolean;
  readonly scope: ScopeGraph;
  /** How many steps it is inside. */
  readonly depth: number;
}

/** A way out of a step to another. */
export interface Exit {
  /** Dotted from the step. */
  readonly at: string;
  /** Null where it is wrong in itself, so that it may have been meant to lead anywhere. */
  readonly to: string | null;
  /** It is taken instead of completing the step. */
  readonly isCatch: boolean;
}

/**
 * @param input the definition as it came
 * @param isWrong whether the schema refuses what is at a path
 */
export function readStepGraph(input: unknown, isWrong: (path: string) => boolean): StepGraph {
  const scopes: ScopeGraph[] = [];
  const all = new Map<string, StepNode>();

  function readScope(place: Place, container: StepNode | null, depth: number): void {
    const { path, given, isPerItem, name } = place;
    const { start_step: start, steps: byId } = isJsonObject(given) ? given : {};
    const steps = new Map<string, StepNode>();
    const otherIds = new Set<string>();
    const scope: ScopeGraph = {
      path,
      start: typeof start === 'string' && !isWrong(`${path}start_step`) ? start : null,
      steps,
      otherIds,
      container,
      pathLength: container === null ? 0 : pathLengthOf(container, name),
      isPerItem,
      isEmpty: isJsonObject(byId) && Object.keys(byId).length === 0,
    };
    scopes.push(scope);
    for (const [id, step] of isJsonObject(byId) ? Object.entries(byId) : []) {
      const node = readStep(id, step, scope, depth);
      steps.set(id, node);
      if (!all.has(id)) all.set(id, node);
      if (node.givenId !== null && node.givenId !== id) otherIds.add(node.givenId);
    }
    // What is deeper is not read: it is told, and nothing recurses into it.
    if (depth === limits.maxNesting) return;
    for (const node of steps.values()) {
      for (const place of scopesInside(node)) readScope(place, node, depth + 1);
    }
  }

  function readStep(id: string, step: Json, scope: ScopeGraph, depth: number): StepNode {
    const path = `${scope.path}steps.${id}`;
    const given = isJsonObject(step) ? step : {};
    const { exits, isEnd } = readExits(step, (at) => isWrong(`${path}.${at}`));
    const { id: givenId } = given;
    return {
      id,
      path,
      given,
      givenId: typeof givenId === 'string' && !isWrong(`${path}.id`) ? givenId : null,
      exits,
      isEnd,
      scope,
      depth,
    };
  }

  readScope({ path: '', given: isJsonObject(input) ? input : {}, isPerItem: false, name: '' }, null, 0);
  return { scopes, steps: all };
}

interface Place {
  readonly path: string;
  readonly given: Json;
  readonly isPerItem: boolean;
  /** Of a branch. */
  readonly name: string;
}

/** Visits and indices are numbers of a few digits. */
const DIGITS = 16;

function pathLengthOf({ id, scope }: StepNode, name: string): number {
  return scope.pathLength + encodedLength(id) + encodedLength(name) + DIGITS;
}

/** Lone surrogates, which are refused elsewhere, cannot be encoded. */
function encodedLength(text: string): number {
  return encodeURIComponent(text.toWellFormed()).length;
}

/** The scopes inside a step, whatever its type is called: branches, or steps of its own. */
export function scopesInside({ path, given }: Pick<StepNode, 'path' | 'given'>): readonly Place[] {
  const { branches, steps } = given;
  return [
    ...(isJsonObject(branches) ? Object.entries(branches) : []).map(([name, branch]) => ({
      path: `${path}.branches.${name}.`,
      given: branch,
      isPerItem: false,
      name,
    })),
    ...(steps === undefined ? [] : [{ path: `${path}.`, given, isPerItem: true, name: '' }]),
  ];
}

function readExits(step: Json, isWrong: (at: string) => boolean): Pick<StepNode, 'exits' | 'isEnd'> {
  if (!isJsonObject(step)) return { exits: [{ at: '', to: null, isCatch: false }], isEnd: false };
  const exits: Exit[] = [];
  const add = (at: string, to: Json | undefined, isCatch = false) =>
    exits.push({ at, to: typeof to === 'string' && !isWrong(at) ? to : null, isCatch });
  const addEach = (field: string, isCatch = false) => {
    const rules = step[field];
    if (Array.isArray(rules)) {
      for (const [i, rule] of rules.entries()) {
        add(`${field}.${i}.next_step`, isJsonObject(rule) ? rule.next_step : undefined, isCatch);
      }
    } else if (rules !== undefined) {
      add(field, undefined, isCatch);
    }
  };

  const { next_step: next = null, choices, default_next_step: otherwise } = step;
  if (next !== null) add('next_step', next);
  addEach('choices');
  if (otherwise !== undefined) add('default_next_step', otherwise);
  addEach('catch', true);
  // Where a step of an unknown type leads cannot be told.
  if (isWrong('type')) add('type', undefined);
  return { exits, isEnd: next === null && choices === undefined };
}

/** Whether it leads where its scope has no step, or nowhere: it may have been meant to lead anywhere. */
export function isLost({ exits, isEnd, scope }: StepNode): boolean {
  return exits.length === 0 ? !isEnd : exits.some(({ to }) => to === null || !scope.steps.has(to));
}

/** A scope's steps by number, and where they lead within it. */
export interface ScopeEdges {
  readonly nodes: readonly StepNode[];
  readonly numberOf: ReadonlyMap<string, number>;
  readonly next: readonly (readonly number[])[];
}

export function edgesOf({ steps }: Pick<ScopeGraph, 'steps'>): ScopeEdges {
  const nodes = [...steps.values()];
  const numberOf = new Map(nodes.map(({ id }, number) => [id, number]));
  const next = nodes.map(({ exits }) => targetsOf(exits, numberOf));
  return { nodes, numberOf, next };
}

/** Each once: rules of a choice often lead to the same step. */
export function targetsOf(exits: readonly Exit[], numberOf: ReadonlyMap<string, number>): number[] {
  const targets = new Set<number>();
  for (const { to } of exits) {
    const number = to === null ? undefined : numberOf.get(to);
    if (number !== undefined) targets.add(number);
  }
  return [...targets];
}
