import { limits } from '../config/limits.ts';
import { isJsonObject } from '../engine/json.ts';
import { findPayloadProblem } from '../messages/payload.ts';
import { compileMapping } from './expression.ts';
import { normalise, type WorkflowDefinition, workflowDefinition } from './workflow-definition.ts';

/** What is wrong, where (dotted from the definition's root), and what was expected. */
export interface DefinitionProblem {
  readonly path: string;
  readonly message: string;
}

export type ParsedWorkflow =
  | { readonly ok: true; readonly definition: WorkflowDefinition }
  | { readonly ok: false; readonly problems: readonly DefinitionProblem[] };

const MAX_PROBLEMS = 100;

/** Reads a definition from outside, whatever it is, and finds everything that is wrong with it. Its size is the caller's to check. */
export function parseDefinition(input: unknown): ParsedWorkflow {
  const unstorable = findPayloadProblem(input, limits);
  if (unstorable) return refuse([unstorable]);
  if (isJsonObject(input) && isJsonObject(input.steps)) {
    const count = Object.keys(input.steps).length;
    if (count === 0) return refuse([{ path: 'steps', message: 'expected at least one step' }]);
    if (count > limits.maxStepsPerDefinition) {
      const message = `expected at most ${limits.maxStepsPerDefinition} steps, got ${count}`;
      return refuse([{ path: 'steps', message }]);
    }
  }
  const parsed = workflowDefinition.safeParse(input);
  if (!parsed.success) {
    return refuse(
      parsed.error.issues.flatMap((issue) => {
        if (issue.code === 'unrecognized_keys') {
          return issue.keys.map((key) => ({
            path: [...issue.path, key].join('.'),
            message: 'unknown field',
          }));
        }
        const { message } = issue.code === 'invalid_key' ? (issue.issues[0] ?? issue) : issue;
        return [{ path: issue.path.join('.'), message }];
      }),
    );
  }
  const idProblems = Object.entries(parsed.data.steps).flatMap(([key, { id }]) =>
    id === undefined || id === key
      ? []
      : [{ path: `steps.${key}.id`, message: `expected its key "${key}", got "${id}"` }],
  );
  if (idProblems.length > 0) return refuse(idProblems);
  const definition = normalise(parsed.data);
  const problems = findGraphProblems(definition);
  return problems.length === 0 ? { ok: true, definition } : refuse(problems);
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

/** Dangling and unreachable steps, cycles without a way out, and mappings that read what cannot be there yet. */
function findGraphProblems({ start_step, steps }: WorkflowDefinition): DefinitionProblem[] {
  const problems: DefinitionProblem[] = [];
  const known = (id: string) => Object.hasOwn(steps, id);
  if (!known(start_step)) {
    problems.push({ path: 'start_step', message: `expected the id of a step, got "${start_step}"` });
  }
  for (const { id, next_step } of Object.values(steps)) {
    if (next_step !== null && !known(next_step)) {
      problems.push({
        path: `steps.${id}.next_step`,
        message: `expected the id of a step or null, got "${next_step}"`,
      });
    }
  }
  if (problems.length > 0) return problems;

  const position = new Map<string, number>();
  for (let id: string | null = start_step, before = ''; id !== null; before = id, id = steps[id]!.next_step) {
    if (position.has(id)) {
      const message = `expected a way to the end, but "${id}" leads back here: the workflow would never end`;
      problems.push({ path: `steps.${before}.next_step`, message });
      break;
    }
    position.set(id, position.size);
  }
  for (const id of Object.keys(steps)) {
    if (!position.has(id))
      problems.push({ path: `steps.${id}`, message: `no way leads here from start_step "${start_step}"` });
  }
  for (const { id, input_mapping } of Object.values(steps)) {
    const base = `steps.${id}.input_mapping`;
    compileMapping(input_mapping, {
      onProblem: (path, message) => problems.push({ path: `${base}.${path}`, message }),
      onStepRead: (path, read) => {
        const place = position.get(id) ?? Infinity;
        if (known(read) && (position.get(read) ?? 0) < place) return;
        const got = known(read) ? `"${read}"` : `"${read}", which is no step of this workflow`;
        problems.push({
          path: `${base}.${path}`,
          message: `expected a step that completes before "${id}", got ${got}`,
        });
      },
    });
  }
  return problems;
}
