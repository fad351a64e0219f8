import { validate as isUuid } from 'uuid';
import type { OpenRunsOfWorkflows } from '../application/pause-workflow.ts';
import type { Viewer } from '../application/permissions.ts';
import type { Statements } from './database.ts';
import { type RunFilter, runConditions } from './run-filter.ts';
import { RUN_SUMMARY, type RunSummary } from './run-queries.ts';
import { databaseOf } from './searched-text.ts';
import { isNamedOtherwise, Parameters } from './sql.ts';
import { canExecuteRun, canViewRun } from './visibility.ts';

export type BulkFilter = Omit<RunFilter, 'statuses'> & {
  readonly statuses?: readonly ('PENDING' | 'RUNNING' | 'PAUSED')[] | undefined;
};

export interface RunBatches extends OpenRunsOfWorkflows {
  /** By run_id or execution id, in no order; those that the viewer may not see are absent. */
  findRuns(viewer: Viewer, ids: readonly string[]): Promise<readonly RunSummary[]>;
  /** Open runs that the viewer may cancel: how many there are, and the oldest of them. */
  findOpenRuns(
    viewer: Viewer,
    filter: BulkFilter,
    limit: number,
  ): Promise<{ readonly total: number; readonly runIds: readonly string[] }>;
}

/** @param searches where lists are searched for words (`databaseOf`) */
export function createRunBatches(database: Statements, searches = database): RunBatches {
  return {
    findRuns(viewer, ids) {
      const parameters = new Parameters();
      const uuids = ids.filter((id) => isUuid(id)).map((id) => id.toLowerCase());
      const names = [...ids, ...uuids.map((id) => `run-${id}`)];
      return database.many<RunSummary>(
        `select ${RUN_SUMMARY} from workflow_runs r
         where (r.run_id = any(${parameters.add(names)}::text[]) or r.id = any(${parameters.add(uuids)}::uuid[]) and ${isNamedOtherwise('r')})
           and ${canViewRun(viewer, parameters)}`,
        parameters.values,
      );
    },
    async findOpenRuns(viewer, filter, limit) {
      const parameters = new Parameters();
      const conditions = [
        // Also where the filter names one: the index of open runs is for these.
        "r.status in ('PENDING', 'RUNNING')",
        canExecuteRun(viewer, parameters),
        ...runConditions(filter, parameters),
      ];
      const rows = await databaseOf(filter, database, searches).many<{ run_id: string; total: number }>(
        `select r.run_id, count(*) over () as total from workflow_runs r
         where ${conditions.join(' and ')}
         order by r.created_at, r.id limit ${parameters.add(limit)}`,
        parameters.values,
      );
      return { total: rows[0]?.total ?? 0, runIds: rows.map(({ run_id }) => run_id) };
    },
    async findOpenRunsOf(workflowId, { isHeld, after, limit }) {
      const rows = await database.many<{ id: string; run_id: string }>(
        `select id, run_id from workflow_runs
         where workflow_definition_id = $1 and status in ('PENDING', 'RUNNING') and (paused_at is not null and held_by is distinct from 'run') = $2
           and ($3::uuid is null or id > $3)
         order by id limit $4`,
        [workflowId, isHeld, after, limit],
      );
      const last = rows.at(-1);
      return {
        runIds: rows.map(({ run_id }) => run_id),
        next: rows.length < limit || !last ? null : last.id,
      };
    },
  };
}
