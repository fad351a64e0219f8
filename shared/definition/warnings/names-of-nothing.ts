import { type HintOf, nearestName } from '../../validation/nearest-name.ts';
import { MAX_PROBLEMS } from '../../validation/problem.ts';
import type { WorkflowDefinition } from '../workflow-definition.ts';
import { placedSteps } from './placed-steps.ts';
import type { Warning } from './warning.ts';

/** What a definition names that is registered apart from it. */
export interface Names {
  readonly agents: readonly string[];
  readonly workflows: readonly string[];
}

/** Each once. What the workflow itself is called is there when it runs. */
export function namesIn(definition: WorkflowDefinition): Names {
  const agents = new Set<string>();
  const workflows = new Set<string>();
  for (const { step } of placedSteps(definition)) {
    if ('agent_name' in step) agents.add(step.agent_name);
    else if (step.type === 'workflow') workflows.add(step.workflow_name);
  }
  workflows.delete(definition.name);
  return { agents: [...agents], workflows: [...workflows] };
}

/**
 * Each step that names what is not there: a run that comes to it fails.
 * @param missing of the names in the definition
 * @param known to choose from for what was probably meant
 */
export function namesOfNothing(definition: WorkflowDefinition, missing: Names, known: Names): Warning[] {
  if (missing.agents.length + missing.workflows.length === 0) return [];
  const [agents, workflows] = [new Set(missing.agents), new Set(missing.workflows)];
  const hintOf = rememberedHints();
  const warnings = placedSteps(definition).flatMap(({ path, step }): Warning[] => {
    if ('agent_name' in step && agents.has(step.agent_name))
      return [
        {
          path: `${path}.agent_name`,
          message: `there is no agent "${step.agent_name}" that the workflow's owner may use${hintOf(step.agent_name, known.agents)}`,
          hint: 'Register the agent, or correct the name: the step would fail with AGENT_NOT_FOUND',
        },
      ];
    if (step.type === 'workflow' && workflows.has(step.workflow_name))
      return [
        {
          path: `${path}.workflow_name`,
          message: `the workflow's owner has no workflow "${step.workflow_name}"${hintOf(step.workflow_name, known.workflows)}`,
          hint: 'Register that workflow, or correct the name: the step would fail with WORKFLOW_NOT_FOUND',
        },
      ];
    return [];
  });
  return warnings.slice(0, MAX_PROBLEMS);
}

/** Many steps may name one agent, and only so many names are searched for. */
function rememberedHints(): HintOf {
  const found = new Map<string, string>();
  return (given, names) => {
    let hint = found.get(given);
    if (hint === undefined) {
      const name = found.size < MAX_PROBLEMS ? nearestName(given, names) : null;
      hint = name === null ? '' : `, did you mean "${name}"?`;
      found.set(given, hint);
    }
    return hint;
  };
}
