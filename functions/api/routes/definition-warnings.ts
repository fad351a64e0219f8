import type { Viewer } from '../../../shared/application/permissions.ts';
import { findWarnings } from '../../../shared/definition/warnings/find-warnings.ts';
import type { Warning } from '../../../shared/definition/warnings/warning.ts';
import type { WorkflowDefinition } from '../../../shared/definition/workflow-definition.ts';
import { MAX_PROBLEMS } from '../../../shared/validation/problem.ts';
import type { ApiServices } from '../services.ts';

export type DefinitionJudges = Pick<ApiServices, 'findMissingNames' | 'runLimits'>;

/** Who registers, checks or tests a definition waits so long for an agent registry; who starts a run does not. */
export const REGISTRY_PATIENCE_MS = 1_000;

/** Of a valid definition, before it is run: first what would fail a run. */
export async function warningsOf(
  caller: Viewer,
  owner: string,
  definition: WorkflowDefinition,
  { findMissingNames, runLimits }: DefinitionJudges,
): Promise<readonly Warning[]> {
  const missing = await findMissingNames(caller, { owner, definition, patienceMs: REGISTRY_PATIENCE_MS });
  return [...missing, ...findWarnings(definition, runLimits)].slice(0, MAX_PROBLEMS);
}
