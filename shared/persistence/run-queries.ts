import { validate as isUuid } from 'uuid';
import type { Page, PageRequest, Position } from '../application/page.ts';
import type { Viewer } from '../application/permissions.ts';
import type { Json, JsonObject } from '../engine/json.ts';
import type { AttemptStatus, Pauser, RunStatus } from '../engine/state.ts';
import type { Statements } from './database.ts';
import { exactTime, isBeyond, pageOf } from './keyset.ts';
import type { ExecutionStatus } from './run-filter.ts';
import { type RunFilter, runConditions } from './run-filter.ts';
import { databaseOf } from './searched-text.ts';
import { MAX_STORED_BYTES, Parameters, storedBytes } from './sql.ts';
import { canExecuteRun, canViewRun, grantedWorkflows, ownsRun } from './visibility.ts';

/** A run without what may be large. Null columns may be another producer's. */
export interface RunSummary {
  readonly id: string;
  readonly run_id: string;
  readonly workflow_id: string;
  readonly workflow_name: string;
  readonly workflow_definition_id: string | null;
  readonly status: RunStatus;
  readonly execution_status: ExecutionStatus;
  readonly error_message: string | null;
  readonly triggered_by: string | null;
  readonly created_at: Date | null;
  readonly updated_at: Date | null;
  readonly completed_at: Date | null;
  readonly cancelled_at: Date | null;
  readonly cancelled_by: string | null;
  readonly version: number | null;
  readonly community_id: number | null;
  readonly sequence: number;
  readonly started_at: Date | null;
  readonly paused_at: Date | null;
  readonly held_by: Pauser | 'both' | null;
  /** The run that started it. */
  readonly parent_run_id: string | null;
  readonly cancel_reason: string | null;
  readonly error_code: string | null;
  readonly error_step_id: string | null;
  readonly error_attempt: number | null;
}

export interface RunDetails extends RunSummary {
  readonly input_data: Json;
  readonly output_data: Json;
  readonly variables: JsonObject | null;
  readonly metadata: JsonObject | null;
}

export interface StepDetails {
  readonly id: string;
  readonly step_execution_id: string;
  readonly run_id: string;
  readonly step_id: string;
  readonly step_name: string;
  readonly agent_name: string;
  readonly status: AttemptStatus;
  readonly input_data: Json;
  readonly output_data: Json;
  readonly error_message: string | null;
  readonly started_at: Date | null;
  readonly completed_at: Date | null;
  readonly step_type: string;
  readonly scope: string;
  readonly visit: number;
  readonly attempt: number;
  readonly error_code: string | null;
  readonly logs: readonly string[] | null;
  readonly created_at: Date;
  readonly due_at: Date | null;
  readonly deadline_at: Date | null;
  readonly heartbeat_due_at: Date | null;
  readonly signal_name: string | null;
  readonly child_run_id: string | null;
}

export interface StepPiece {
  readonly steps: readonly { readonly step: StepDetails; readonly position: Position }[];
  /** False: there are more, up to the asked limit, that would have been too much at once. */
  readonly isWhole: boolean;
}

/** What a call that changes a run needs to know of it. */
export interface ChangeableRun {
  readonly runId: string;
  readonly communityId: number | null;
}

export interface RunRights extends ChangeableRun {
  /** The workflow's uuid, where it is one of ours. */
  readonly workflowId: string | null;
  readonly versionId: string | null;
  /** May change it: cancel, pause, retry, send it signals. */
  readonly mayExecute: boolean;
}

export interface RunProgress {
  readonly runId: string;
  readonly status: RunStatus;
  readonly versionId: string | null;
}

export interface RunQueries {
  maybeFindRun(viewer: Viewer, runId: string): Promise<RunDetails | null>;
  maybeFindRunStatus(viewer: Viewer, runId: string): Promise<RunProgress | null>;
  /** Of a run that the viewer may see. */
  maybeFindRunRights(viewer: Viewer, runId: string): Promise<RunRights | null>;
  /** Newest first. */
  listRuns(viewer: Viewer, filter: RunFilter, page: PageRequest): Promise<Page<RunSummary>>;
  /** Oldest first. Stops early before the rows become more than memory should hold; gives one row at least. */
  readSteps(runId: string, page: PageRequest): Promise<StepPiece>;
  maybeFindAttempt(stepExecutionId: string): Promise<{ runId: string; status: AttemptStatus } | null>;
  /** Whether a signal of this id has come to the run. */
  hasSignal(runId: string, id: string): Promise<boolean>;
}

export const RUN_SUMMARY = `r.id, r.run_id, r.workflow_id, r.workflow_name, r.workflow_definition_id, r.status, r.execution_status, r.error_message,
  r.triggered_by, r.created_at, r.updated_at, r.completed_at, r.cancelled_at, r.cancelled_by, r.version, r.community_id,
  r.sequence, r.started_at, r.paused_at, r.held_by, r.parent_run_id, r.cancel_reason, r.error_code, r.error_step_id, r.error_attempt`;

const STEP = `s.id, s.step_execution_id, s.run_id, s.step_id, s.step_name, s.agent_name, s.status, s.input_data, s.output_data,
  s.error_message, s.started_at, s.completed_at, s.step_type, s.scope, s.visit, s.attempt, s.error_code, s.logs, s.created_at,
  s.due_at, s.deadline_at, s.heartbeat_due_at, s.signal_name, s.child_run_id`;

/** @param searches where lists are searched for words (`databaseOf`) */
export function createRunQueries(database: Statements, searches = database): RunQueries {
  return {
    maybeFindRun(viewer, runId) {
      const parameters = new Parameters();
      return database.maybeOne<RunDetails>(
        `select ${RUN_SUMMARY}, r.input_data, r.output_data, r.variables, r.metadata
         from workflow_runs r
         where r.run_id = ${parameters.add(runId)} and ${canViewRun(viewer, parameters)}`,
        parameters.values,
      );
    },
    async maybeFindRunStatus(viewer, runId) {
      const parameters = new Parameters();
      const row = await database.maybeOne<{
        run_id: string;
        status: RunStatus;
        workflow_version_id: string | null;
      }>(
        `select r.run_id, r.status, r.workflow_version_id
         from workflow_runs r
         where r.run_id = ${parameters.add(runId)} and ${canViewRun(viewer, parameters)}`,
        parameters.values,
      );
      return row && { runId: row.run_id, status: row.status, versionId: row.workflow_version_id };
    },
    async maybeFindRunRights(viewer, runId) {
      const parameters = new Parameters();
      const row = await database.maybeOne<{
        run_id: string;
        community_id: number | null;
        workflow_definition_id: string | null;
        workflow_version_id: string | null;
        may_execute: boolean;
      }>(
        `select r.run_id, r.community_id, r.workflow_definition_id, r.workflow_version_id,
                coalesce(${canExecuteRun(viewer, parameters)}, false) as may_execute
         from workflow_runs r
         where r.run_id = ${parameters.add(runId)} and ${canViewRun(viewer, parameters)}`,
        parameters.values,
      );
      if (!row) return null;
      const workflowId = row.workflow_definition_id;
      return {
        runId: row.run_id,
        communityId: row.community_id,
        // Another producer may have written anything.
        workflowId: workflowId !== null && isUuid(workflowId) ? workflowId : null,
        versionId: row.workflow_version_id,
        mayExecute: row.may_execute,
      };
    },
    async listRuns(viewer, filter, page) {
      const parameters = new Parameters();
      const key = { key: 'r.created_at', keyType: 'timestamptz', id: 'r.id' };
      const listed = (more: string) =>
        `select ${RUN_SUMMARY}, ${exactTime('r.created_at')} as position_key
         from workflow_runs r
         where ${[more, 'r.created_at is not null', ...conditions].join(' and ')}
         order by r.created_at desc, r.id desc
         limit ${limit}`;
      const conditions = [isBeyond(page.after, key, '<', parameters), ...runConditions(filter, parameters)];
      const limit = parameters.add(page.limit + 1);
      const rows = await databaseOf(filter, database, searches).many<RunSummary & { position_key: string }>(
        viewer.isAdmin
          ? listed('true')
          : // Each workflow by its own index: one condition for all would read every tenant's rows in the order of time.
            `select * from (
               (${listed(ownsRun(viewer, parameters))})
               union all
               select others.* from (select distinct workflow_id::text as id from (${grantedWorkflows(viewer, parameters)}) g) granted
                 cross join lateral (${listed(`r.workflow_definition_id = granted.id and r.owner <> ${parameters.add(viewer.userId)}`)}) others
             ) r
             order by r.created_at desc, r.id desc
             limit ${limit}`,
        parameters.values,
      );
      return pageOf(
        rows,
        page,
        (row) => ({ key: row.position_key, id: row.id }),
        ({ position_key: _key, ...run }) => run,
      );
    },
    async readSteps(runId, { after, limit }) {
      const parameters = new Parameters();
      const key = { key: 's.created_at', keyType: 'timestamptz', id: 's.id' };
      const rows = await database.many<StepDetails & { position_key: string; candidates: number }>(
        `select * from (
           select s.*, count(*) over () as candidates, row_number() over oldest_first as place,
                  sum(${storedBytes('s.input_data', 's.output_data', 's.logs')}) over oldest_first as stored_bytes
           from (
             select ${STEP}, ${exactTime('s.created_at')} as position_key
             from step_executions s
             where s.run_id = ${parameters.add(runId)} and ${isBeyond(after, key, '>', parameters)}
             order by s.created_at, s.id
             limit ${parameters.add(limit)}
           ) s
           window oldest_first as (order by s.created_at, s.id)
         ) s
         where s.stored_bytes <= ${MAX_STORED_BYTES} or s.place = 1
         order by s.created_at, s.id`,
        parameters.values,
      );
      return {
        steps: rows.map((row) => ({ step: row, position: { key: row.position_key, id: row.id } })),
        isWhole: rows.length === (rows[0]?.candidates ?? 0),
      };
    },
    async maybeFindAttempt(stepExecutionId) {
      const row = await database.maybeOne<{ run_id: string; status: AttemptStatus }>(
        'select run_id, status from step_executions where step_execution_id = $1',
        [stepExecutionId],
      );
      return row && { runId: row.run_id, status: row.status };
    },
    async hasSignal(runId, id) {
      const row = await database.maybeOne('select from signals where run_id = $1 and id = $2', [runId, id]);
      return row !== null;
    },
  };
}
