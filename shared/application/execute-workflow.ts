import type { WorkflowDefinition } from '../definition/workflow-definition.ts';
import type { JsonObject } from '../engine/json.ts';
import type { StartedRun, StartRun } from './start-run.ts';
import type { Viewer } from './viewer.ts';

/** The newest version of a workflow, as a run of it needs it. */
export interface ExecutableWorkflow {
  readonly id: string;
  readonly owner: string;
  readonly name: string;
  readonly version: number;
  readonly versionId: string;
  readonly definition: WorkflowDefinition;
}

/** What a run starts with. `inputData` and `variables` exclude each other; both may be absent. */
export interface RunRequest {
  readonly inputData: JsonObject | undefined;
  readonly variables: JsonObject | undefined;
  readonly communityId: number | null;
  readonly metadata: JsonObject | null;
}

export type ExecuteWorkflow = (
  caller: Viewer,
  workflow: ExecutableWorkflow,
  request: RunRequest,
) => Promise<StartedRun>;

/** A run belongs to the workflow's owner, whoever starts it: its agents are the owner's, and the owner sees it. */
export function createExecuteWorkflow(startRun: StartRun): ExecuteWorkflow {
  return (caller, { owner, ...workflow }, request) =>
    startRun({ ...request, owner, triggeredBy: caller.userId, workflow });
}
