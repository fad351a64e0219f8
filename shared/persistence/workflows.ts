import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { v7 as uuidv7 } from 'uuid';
import type { AuditEntry } from '../application/audit.ts';
import type { VersionChange } from '../application/batch.ts';
import type { Grounds } from '../application/grounds.ts';
import type { Page, PageRequest } from '../application/page.ts';
import type { PausableWorkflows } from '../application/pause-workflow.ts';
import type { Viewer } from '../application/permissions.ts';
import { workflowIdOf } from '../application/plan-messages.ts';
import type { Workflow, WorkflowWriter } from '../application/register-workflow.ts';
import type { ExecutableWorkflow } from '../application/start-run.ts';
import type { WorkflowDefinition } from '../definition/workflow-definition.ts';
import { auditPart } from './audit-log.ts';
import type { Statements } from './database.ts';
import { exactTime, isBeyond, pageOf } from './keyset.ts';
import { Parameters } from './sql.ts';
import {
  canExecuteWorkflow,
  canManageWorkflow,
  canViewWorkflow,
  executeGrant,
  grantedWorkflows,
} from './visibility.ts';

export interface WorkflowWithDefinition extends Workflow {
  readonly definition: WorkflowDefinition;
}

export interface WorkflowRights {
  readonly id: string;
  /** The owner, and admins. */
  readonly mayManage: boolean;
}

export interface Workflows extends WorkflowWriter, PausableWorkflows {
  maybeFindWorkflow(viewer: Viewer, id: string): Promise<WorkflowWithDefinition | null>;
  /** A workflow that the viewer may see, and whether they may execute it. */
  maybeFindExecutable(
    viewer: Viewer,
    id: string,
  ): Promise<{ readonly workflow: ExecutableWorkflow; readonly mayExecute: boolean } | null>;
  /** One that the viewer might execute when it was last found here, and what was seen of their right; without a statement. */
  recallExecutable(
    viewer: Viewer,
    id: string,
  ): { readonly workflow: ExecutableWorkflow; readonly grounds: Omit<Grounds, 'apiKey'> } | null;
  /** Of a workflow that the viewer may see. */
  maybeFindRights(viewer: Viewer, id: string): Promise<WorkflowRights | null>;
  /** Null: the latest. Also of an archived workflow, whose runs go on. */
  maybeFindVersion(workflowId: string, version: number | null): Promise<VersionChange | null>;
  /** Newest first, without the archived ones. */
  listWorkflows(
    viewer: Viewer,
    filter: { readonly name?: string | undefined },
    page: PageRequest,
  ): Promise<Page<Workflow>>;
  /**
   * Runs stay, and go on; the workflow's grants and its pause end with it, so that it begins without them where its name is
   * registered anew. @returns when, or null where the viewer has no such workflow.
   */
  archiveWorkflow(viewer: Viewer, id: string, audit: AuditEntry): Promise<Date | null>;
}

interface WorkflowRow {
  id: string;
  owner: string;
  name: string;
  description: string | null;
  latest_version: number;
  created_at: Date;
  updated_at: Date;
  paused_at: Date | null;
}

const COLUMNS =
  'w.id, w.owner, w.name, w.description, w.latest_version, w.created_at, w.updated_at, w.paused_at';

interface KnownDefinition {
  readonly versionId: string;
  readonly definition: WorkflowDefinition;
}

/** Characters of definitions' text. */
const MAX_KNOWN_CHARACTERS = 16 * 1024 * 1024;

export function createWorkflows(database: Statements): Workflows {
  // What each workflow was when it was last executed here. Nothing is stale: the database tells which version is the latest.
  const known = new LRUCache<string, KnownDefinition>({ maxSize: MAX_KNOWN_CHARACTERS });
  const executable = new LRUCache<string, Executable>({ max: MAX_EXECUTABLE });
  return {
    // One statement: the upsert locks the workflow's row, so that concurrent registrations count on from one another.
    async addVersionByName(owner, definition, createdBy, audit) {
      const { name, description } = definition;
      const parameters = new Parameters();
      const values = [uuidv7(), owner, name, description].map((value) => parameters.add(value)).join(', ');
      const row = await database.one<WorkflowRow>(
        `with workflow as (
           insert into workflows as w (id, owner, name, description, latest_version)
           values (${values}, 1)
           on conflict (owner, name) do update
           set description = excluded.description, latest_version = w.latest_version + 1, updated_at = now(), archived_at = null
           returning ${COLUMNS}
         ), version as (${insertVersion(definition, createdBy, parameters)}), ${auditPart(audit, 'workflow', 'id', parameters)}
         select * from workflow`,
        parameters.values,
      );
      return workflowOf(row);
    },
    async addVersionById(viewer, id, definition, audit) {
      const parameters = new Parameters();
      const row = await database.maybeOne<WorkflowRow>(
        `with workflow as (
           update workflows as w
           set name = ${parameters.add(definition.name)}, description = ${parameters.add(definition.description)},
               latest_version = w.latest_version + 1, updated_at = now()
           where w.id = ${parameters.add(id)} and w.archived_at is null and ${canManageWorkflow(viewer, parameters)}
           returning ${COLUMNS}
         ), version as (${insertVersion(definition, viewer.userId, parameters)}), ${auditPart(audit, 'workflow', 'id', parameters)}
         select * from workflow`,
        parameters.values,
      );
      return row && workflowOf(row);
    },
    async maybeFindWorkflow(viewer, id) {
      const parameters = new Parameters();
      const row = await database.maybeOne<WorkflowRow & { definition: WorkflowDefinition }>(
        `select ${COLUMNS}, v.definition
         from workflows w
         join workflow_versions v on v.workflow_id = w.id and v.version = w.latest_version
         where w.id = ${parameters.add(id)} and w.archived_at is null and ${canViewWorkflow(viewer, parameters)}`,
        parameters.values,
      );
      return row && { ...workflowOf(row), definition: row.definition };
    },
    async maybeFindExecutable(viewer, id) {
      const parameters = new Parameters();
      const before = known.get(id);
      const row = await database.maybeOne<ExecutableRow>(
        // A definition may be a megabyte: the version that is here already is not sent again.
        `select w.id, w.owner, w.name, w.latest_version, v.id as version_id, ${canExecuteWorkflow(viewer, parameters)} as may_execute,
                w.xmin::text as row_version, granted.id as grant_id, granted.row_version as grant_version,
                case when v.id = ${parameters.add(before?.versionId ?? null)}::uuid then null else v.definition::text end as definition
         from workflows w
         join workflow_versions v on v.workflow_id = w.id and v.version = w.latest_version
         left join lateral (${executeGrant(viewer, parameters)}) granted on true
         where w.id = ${parameters.add(id)} and w.archived_at is null and ${canViewWorkflow(viewer, parameters)}`,
        parameters.values,
      );
      if (!row) return null;
      const { owner, name, latest_version: version, version_id: versionId, definition: text } = row;
      const definition = text === null ? before!.definition : (JSON.parse(text) as WorkflowDefinition);
      if (text !== null) known.set(row.id, { versionId, definition }, { size: text.length });
      const found = { id: row.id, owner, name, version, versionId };
      if (row.may_execute) executable.set(executableKey(viewer, id), { found, grounds: groundsOf(row) });
      return { workflow: { ...found, definition }, mayExecute: row.may_execute };
    },
    recallExecutable(viewer, id) {
      const seen = executable.get(executableKey(viewer, id));
      const definition = known.get(id);
      if (seen === undefined || definition?.versionId !== seen.found.versionId) return null;
      return { workflow: { ...seen.found, definition: definition.definition }, grounds: seen.grounds };
    },
    async maybeFindRights(viewer, id) {
      const parameters = new Parameters();
      const row = await database.maybeOne<{ id: string; may_manage: boolean }>(
        `select w.id, ${canManageWorkflow(viewer, parameters)} as may_manage from workflows w
         where w.id = ${parameters.add(id)} and w.archived_at is null and ${canViewWorkflow(viewer, parameters)}`,
        parameters.values,
      );
      return row && { id: row.id, mayManage: row.may_manage };
    },
    async maybeFindVersion(workflowId, version) {
      const row = await database.maybeOne<{ id: string; version: number; name: string }>(
        `select v.id, v.version, w.name from workflows w
         join workflow_versions v on v.workflow_id = w.id and v.version = coalesce($2, w.latest_version)
         where w.id = $1`,
        [workflowId, version],
      );
      return (
        row && {
          versionId: row.id,
          number: row.version,
          workflowId: workflowIdOf(row.name, row.version),
        }
      );
    },
    async listWorkflows(viewer, { name }, page) {
      const parameters = new Parameters();
      const key = { key: 'w.created_at', keyType: 'timestamptz', id: 'w.id' };
      const listed = `select ${COLUMNS}, ${exactTime('w.created_at')} as position_key
         from workflows w
         where w.archived_at is null
           and ${name === undefined ? 'true' : `w.name = ${parameters.add(name)}`}
           and ${isBeyond(page.after, key, '<', parameters)}`;
      const newestFirst = (alias: string) =>
        `order by ${alias}.created_at desc, ${alias}.id desc limit ${parameters.add(page.limit + 1)}`;
      const rows = await database.many<WorkflowRow & { position_key: string }>(
        viewer.isAdmin
          ? `${listed} ${newestFirst('w')}`
          : // Each branch by its own index: one condition for both would read every tenant's rows in the order of time.
            `select * from (
               (${listed} and ${canManageWorkflow(viewer, parameters)} ${newestFirst('w')})
               union
               (${listed} and w.id in (${grantedWorkflows(viewer, parameters)}) ${newestFirst('w')})
             ) w ${newestFirst('w')}`,
        parameters.values,
      );
      return pageOf(rows, page, (row) => ({ key: row.position_key, id: row.id }), workflowOf);
    },
    async archiveWorkflow(viewer, id, audit) {
      const parameters = new Parameters();
      const row = await database.maybeOne<{ archived_at: Date }>(
        `with archived as (
           update workflows w set archived_at = now(), updated_at = now(), paused_at = null
           from lock_workflow_pause(${parameters.add(id)}, true)
           where w.id = ${parameters.add(id)} and w.archived_at is null and ${canManageWorkflow(viewer, parameters)}
           returning w.id, w.archived_at
         ), revoked as (
           delete from workflow_grants g using archived a where g.workflow_id = a.id
         ), ${auditPart(audit, 'archived', 'id', parameters)}
         select archived_at from archived`,
        parameters.values,
      );
      return row?.archived_at ?? null;
    },
    async setPaused(viewer, id, isPaused, audit) {
      const parameters = new Parameters();
      const row = await database.maybeOne(
        `with changed as (
           update workflows w set paused_at = ${isPaused ? 'now()' : 'null'}
           from lock_workflow_pause(${parameters.add(id)}, true)
           where w.id = ${parameters.add(id)} and w.archived_at is null and w.paused_at is ${isPaused ? 'null' : 'not null'}
             and ${canManageWorkflow(viewer, parameters)}
           returning w.id
         ), ${auditPart(audit, 'changed', 'id', parameters)}
         select id from changed`,
        parameters.values,
      );
      return row !== null;
    },
    async isPaused(id) {
      const { paused } = await database.one<{ paused: boolean }>(
        'select exists (select from workflows where id = $1 and paused_at is not null) as paused',
        [id],
      );
      return paused;
    },
  };
}

/** What is remembered of a workflow that somebody might execute. */
interface Executable {
  readonly found: Omit<ExecutableWorkflow, 'definition'>;
  readonly grounds: Omit<Grounds, 'apiKey'>;
}

const MAX_EXECUTABLE = 10_000;

/** Rights are each viewer's own. */
function executableKey({ userId, isAdmin, communities }: Viewer, workflowId: string): string {
  return JSON.stringify([workflowId, userId, isAdmin, communities]);
}

function groundsOf(row: ExecutableRow): Omit<Grounds, 'apiKey'> {
  return {
    workflow: { id: row.id, version: row.row_version },
    grant: row.grant_id === null ? null : { id: row.grant_id, version: row.grant_version as string },
  };
}

interface ExecutableRow {
  id: string;
  owner: string;
  name: string;
  latest_version: number;
  version_id: string;
  may_execute: boolean;
  row_version: string;
  /** Null: they need none, or have none. */
  grant_id: string | null;
  grant_version: string | null;
  definition: string | null;
}

/** To stand in a statement whose CTE `workflow` gives the row that the version is of. */
function insertVersion(definition: WorkflowDefinition, createdBy: string, parameters: Parameters): string {
  const text = JSON.stringify(definition);
  const hash = createHash('sha256').update(text).digest();
  return `insert into workflow_versions (id, workflow_id, version, definition, content_hash, created_by)
    select ${parameters.add(uuidv7())}::uuid, id, latest_version, ${parameters.add(text)}::json, ${parameters.add(hash)}::bytea, ${parameters.add(createdBy)}
    from workflow`;
}

function workflowOf(row: WorkflowRow): Workflow {
  return {
    id: row.id,
    owner: row.owner,
    name: row.name,
    description: row.description,
    version: row.latest_version,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    pausedAt: row.paused_at,
  };
}
