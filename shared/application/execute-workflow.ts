import type { WorkflowDefinition } from '../definition/workflow-definition.ts';
import type { JsonObject } from '../engine/json.ts';
import type { AuditEntry } from './audit.ts';
import type { Viewer } from './permissions.ts';
import type { StartedRun, StartRun } from './start-run.ts';

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
  /** The same key and request by the same caller is the same run; null starts a run each time. */
  readonly idempotencyKey: string | null;
  /** Written in the transaction that starts the run. */
  readonly audit: AuditEntry;
}

export type ExecuteWorkflow = (
  caller: Viewer,
  workflow: ExecutableWorkflow,
  request: RunRequest,
) => Promise<StartedRun>;

/** A run belongs to the workflow's owner, whoever starts it: its agents are the owner's, and the owner sees it. */
export function createExecuteWorkflow(startRun: StartRun, hash: (text: string) => Buffer): ExecuteWorkflow {
  return (caller, { owner, ...workflow }, { idempotencyKey: key, audit, ...request }) =>
    startRun({
      ...request,
      owner,
      triggeredBy: caller.userId,
      workflow,
      audit,
      ...(key !== null && {
        idempotency: {
          userId: caller.userId,
          key,
          requestHash: hash(canonicalJson({ workflowId: workflow.id, ...request })),
        },
      }),
    });
}

/** The same text for requests that differ in the order of their fields only. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
