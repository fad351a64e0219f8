import { isJsonObject } from '../../engine/json.ts';
import { createExpressionCompiler } from '../expression.ts';
import type { ScopeGraph, StepGraph, StepNode } from '../step-graph.ts';
import { expressionsIn } from '../step-type.ts';
import { expressionsOf } from '../workflow-definition.ts';
import type { Warning } from './warning.ts';

const settlingExpressions = expressionsIn('output_mapping', 'assign');

/** What is assigned in a scope and read neither there nor inside: from outside it is not seen. */
export function variablesNobodyReads({ scopes, steps }: StepGraph): Warning[] {
  const read = new Map(scopes.map((scope) => [scope, new Set<string | null>()]));
  for (const node of steps.values()) {
    const names = variablesReadBy(node);
    for (let scope: ScopeGraph | undefined = node.scope; scope; scope = scope.container?.scope)
      for (const name of names) read.get(scope)?.add(name);
  }
  return [...steps.values()].flatMap(({ given: { assign }, path, scope }) => {
    const names = read.get(scope);
    if (!isJsonObject(assign) || names?.has(null)) return [];
    const unread = Object.keys(assign).filter((name) => !names?.has(name));
    return unread.map((name) => ({
      path: `${path}.assign.${name}`,
      message: `nobody reads $.variables.${name} in its scope`,
      hint:
        scope.container === null
          ? 'Read it by a path, or leave it out'
          : 'What a branch or item assigns is seen outside only through its output',
    }));
  });
}

/** Null: any of them. */
function variablesReadBy({ given }: StepNode): ReadonlySet<string | null> {
  const names = new Set<string | null>();
  const compiler = createExpressionCompiler({
    onRead(_, source) {
      if (source.from === 'variables') names.add(source.name);
    },
  });
  for (const { value } of [...expressionsOf(given.type)(given), ...settlingExpressions(given)])
    compiler.mapping(value);
  return names;
}
