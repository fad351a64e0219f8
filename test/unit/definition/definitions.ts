import { type DefinitionProblem, parseDefinition } from '../../../shared/definition/parse-definition.ts';
import type { WorkflowDefinition } from '../../../shared/definition/workflow-definition.ts';

/** A workflow that starts at `a`. */
export function workflow(steps: unknown, given: object = {}) {
  return { name: 'w', start_step: 'a', steps, ...given };
}

export function agent(given: object = {}) {
  return { agent_name: 'agent', ...given };
}

export function pass(next_step: string | null = null, given: object = {}) {
  return { type: 'pass', next_step, ...given };
}

/** Leads to each of the first, or to the last. */
export function choice(targets: readonly string[], otherwise?: string, given: object = {}) {
  return {
    type: 'choice',
    choices: targets.map((next_step) => ({ variable: '$.workflow_input.x', is_present: true, next_step })),
    ...(otherwise !== undefined && { default_next_step: otherwise }),
    ...given,
  };
}

/** Each branch starts at its first step. */
export function parallel(branches: Record<string, object>, given: object = {}) {
  const entries = Object.entries(branches).map(([name, steps]) => [
    name,
    { start_step: Object.keys(steps)[0], steps },
  ]);
  return { type: 'parallel', branches: Object.fromEntries(entries), ...given };
}

export function map(steps: object, given: object = {}) {
  return { type: 'map', items: '$.workflow_input.items', start_step: Object.keys(steps)[0], steps, ...given };
}

export function problemsOf(input: unknown): readonly DefinitionProblem[] {
  const parsed = parseDefinition(input);
  return parsed.ok ? [] : parsed.problems;
}

/** `path: message` of each. */
export function texts(input: unknown): string[] {
  return problemsOf(input).map(({ path, message }) => `${path}: ${message}`);
}

export function parsed(input: unknown): WorkflowDefinition {
  const result = parseDefinition(input);
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result.definition;
}
