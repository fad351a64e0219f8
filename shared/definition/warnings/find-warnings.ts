import { MAX_PROBLEMS } from '../../validation/problem.ts';
import { readStepGraph } from '../step-graph.ts';
import type { WorkflowDefinition } from '../workflow-definition.ts';
import { clausesWithoutEffect, coveredClauses } from './clauses-without-effect.ts';
import { codesThatNeverCome } from './codes-that-never-come.ts';
import { countsWithoutEffect } from './counts-without-effect.ts';
import { placedSteps } from './placed-steps.ts';
import { textLikePaths } from './text-like-paths.ts';
import { timesWithoutEffect } from './times-without-effect.ts';
import { variablesNobodyReads } from './variables-nobody-reads.ts';
import type { Warning } from './warning.ts';

/**
 * What a valid definition may not mean as it says it: each is legal, and does nothing, or not what it seems to.
 * @param maxMapItems the deployment's
 */
export function findWarnings(
  definition: WorkflowDefinition,
  { maxMapItems }: { readonly maxMapItems: number },
): Warning[] {
  const steps = placedSteps(definition);
  const { retry } = definition;
  const graph = readStepGraph(definition, () => false);
  return [
    ...(Array.isArray(retry) ? coveredClauses('retry', retry) : []),
    ...steps.flatMap((placed) => [
      ...clausesWithoutEffect(placed),
      ...codesThatNeverCome(placed),
      ...timesWithoutEffect(placed, definition),
      ...countsWithoutEffect(placed, maxMapItems),
    ]),
    ...variablesNobodyReads(graph),
    ...textLikePaths(graph),
  ].slice(0, MAX_PROBLEMS);
}
