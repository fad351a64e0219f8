import type { WorkflowDefinition } from '../definition/workflow-definition.ts';
import type { AuditEntry } from './audit.ts';
import { codeOf } from './error-policy.ts';
import type { Viewer } from './permissions.ts';

export interface Workflow {
  readonly id: string;
  readonly owner: string;
  readonly name: string;
  readonly description: string | null;
  /** The newest one's number. */
  readonly version: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** Its runs begin paused since then. */
  readonly pausedAt: Date | null;
}

export interface WorkflowWriter {
  /**
   * Version 1 of a new workflow, or the next version of the one that this owner has by this name, archived or not.
   * Concurrent calls get consecutive versions.
   */
  addVersionByName(
    owner: string,
    definition: WorkflowDefinition,
    createdBy: string,
    audit: AuditEntry,
  ): Promise<Workflow>;
  /** Null where the viewer has no such workflow. @throws with `code` UNIQUE_VIOLATION when the owner has another of that name. */
  addVersionById(
    viewer: Viewer,
    id: string,
    definition: WorkflowDefinition,
    audit: AuditEntry,
  ): Promise<Workflow | null>;
}

export type RegisteredWorkflow =
  | { readonly ok: true; readonly workflow: Workflow }
  | { readonly ok: false; readonly code: 'UNKNOWN_WORKFLOW' | 'NAME_TAKEN' };

export interface RegisterWorkflow {
  register(caller: Viewer, definition: WorkflowDefinition, audit: AuditEntry): Promise<RegisteredWorkflow>;
  /** The definition may bring a new name: the workflow is renamed, its earlier runs keep their `workflow_id`. */
  replace(
    caller: Viewer,
    id: string,
    definition: WorkflowDefinition,
    audit: AuditEntry,
  ): Promise<RegisteredWorkflow>;
}

export function createRegisterWorkflow(workflows: WorkflowWriter): RegisterWorkflow {
  return {
    async register(caller, definition, audit) {
      const workflow = await workflows.addVersionByName(caller.userId, definition, caller.userId, audit);
      return { ok: true, workflow };
    },
    async replace(caller, id, definition, audit) {
      try {
        const workflow = await workflows.addVersionById(caller, id, definition, audit);
        return workflow ? { ok: true, workflow } : { ok: false, code: 'UNKNOWN_WORKFLOW' };
      } catch (error) {
        if (codeOf(error) === 'UNIQUE_VIOLATION') return { ok: false, code: 'NAME_TAKEN' };
        throw error;
      }
    },
  };
}
