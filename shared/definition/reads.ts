import type { Reads } from '../engine/plan.ts';

/** What a path begins with decides what must be loaded for it. */
export type Source =
  | { readonly from: 'workflow_input' | 'item' | 'index' | 'error' | 'output' }
  /** The variable's name; null where that cannot be told: all of them, or some by a wildcard. */
  | { readonly from: 'variables'; readonly name: string | null }
  | { readonly from: 'step'; readonly stepId: string };

export function readsOf(sources: readonly Source[]): Reads {
  const kinds = new Set(sources.map(({ from }) => from));
  const steps = new Set(sources.flatMap((source) => (source.from === 'step' ? [source.stepId] : [])));
  return {
    workflowInput: kinds.has('workflow_input'),
    variables: kinds.has('variables'),
    item: kinds.has('item') || kinds.has('index'),
    error: kinds.has('error'),
    steps: [...steps],
  };
}

export function unionOf(all: readonly Reads[]): Reads {
  return {
    workflowInput: all.some(({ workflowInput }) => workflowInput),
    variables: all.some(({ variables }) => variables),
    item: all.some(({ item }) => item),
    error: all.some(({ error }) => error),
    steps: [...new Set(all.flatMap(({ steps }) => steps))],
  };
}
