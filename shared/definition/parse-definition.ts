import { limits } from '../config/limits.ts';
import { isJsonObject, type Json, type JsonObject } from '../engine/json.ts';
import { findPayloadProblems } from '../messages/payload.ts';
import { createHints } from '../validation/nearest-name.ts';
import { MAX_PROBLEMS, type Problem } from '../validation/problem.ts';
import { problemsOf } from '../validation/problems-of.ts';
import { findGraphProblems } from './graph-problems.ts';
import { findMappingProblems } from './mapping-problems.ts';
import { readStepGraph, scopesInside } from './step-graph.ts';
import {
  expressionsOf,
  normalise,
  type WorkflowDefinition,
  workflowDefinition,
} from './workflow-definition.ts';

/** What is wrong, where (dotted from the definition's root), and what was expected. */
export type DefinitionProblem = Problem;

export type ParsedWorkflow =
  | { readonly ok: true; readonly definition: WorkflowDefinition }
  | { readonly ok: false; readonly problems: readonly DefinitionProblem[] };

/**
 * Reads a definition from outside, whatever it is, and finds everything that is wrong with it at once: with its fields, and, of
 * the parts that are right in themselves, with where they lead and what they read. Its size is the caller's to check.
 */
export function parseDefinition(input: unknown): ParsedWorkflow {
  const unstorable = findPayloadProblems(input, limits);
  // Nothing recurses into what is too deep or too much.
  if (unstorable.some(({ code }) => code !== 'UNSTORABLE')) return refuse(unstorable);
  const tooMany = countProblem(input);
  const judged = tooMany ? { ...tooMany.input, steps: {} } : input;

  const hintOf = createHints();
  const parsed = workflowDefinition.safeParse(judged);
  const fields = parsed.success ? [] : problemsOf(workflowDefinition, judged, parsed.error, { hintOf });
  const wrong = new Set([...unstorable, ...fields].map(({ path }) => path));
  const graph = readStepGraph(judged, (path) => wrong.has(path));
  const told = new Set(unstorable.map(({ path }) => path));
  const problems = [
    ...unstorable,
    ...(tooMany ? [tooMany.problem] : []),
    ...[
      ...fields,
      ...(tooMany ? [] : findGraphProblems(graph, hintOf)),
      ...findMappingProblems(graph, expressionsOf, hintOf),
    ].filter(({ path }) => !told.has(path)),
  ];
  return parsed.success && problems.length === 0
    ? { ok: true, definition: normalise(parsed.data) }
    : refuse(problems);
}

/**
 * The plan of another producer's execution request: a definition with `workflow_id` and `version` beside it
 * (api-executor-integration, Message Flow).
 */
export function parseWorkflowPlan(input: unknown): ParsedWorkflow {
  if (!isJsonObject(input)) return refuse([{ path: '', message: 'expected an object' }]);
  const { workflow_id: _id, version: _version, ...definition } = input;
  return parseDefinition(definition);
}

function refuse(problems: readonly DefinitionProblem[]): ParsedWorkflow {
  return {
    ok: false,
    problems: problems.slice(0, MAX_PROBLEMS).map(({ path, message }) => ({ path, message })),
  };
}

/** So many steps are not looked at one by one. */
function countProblem(input: unknown) {
  if (!isJsonObject(input)) return null;
  const count = countSteps(input);
  const { maxStepsPerDefinition } = limits;
  if (count <= maxStepsPerDefinition) return null;
  const message = `expected at most ${maxStepsPerDefinition} steps, got ${count}`;
  return { input, problem: { path: 'steps', message } };
}

/** Of all scopes, at any depth. */
function countSteps(definition: JsonObject): number {
  let count = 0;
  const open: Json[] = [definition];
  for (let scope = open.pop(); scope !== undefined; scope = open.pop()) {
    if (!isJsonObject(scope) || !isJsonObject(scope.steps)) continue;
    for (const step of Object.values(scope.steps)) {
      count++;
      if (isJsonObject(step))
        for (const { given } of scopesInside({ path: '', given: step })) open.push(given);
    }
  }
  return count;
}
