import { validate as isUuid } from 'uuid';
import type { RunStatus } from '../engine/state.ts';
import { mentions } from './searched-text.ts';
import type { Parameters } from './sql.ts';

/** A run's status with a pause for a status of its own. */
export type ExecutionStatus = RunStatus | 'PAUSED';

/** Which runs a list is of: those that everything given holds for. */
export interface RunFilter {
  readonly statuses?: readonly ExecutionStatus[] | undefined;
  /** The workflow's uuid, or `wf-<name>-<version>`. */
  readonly workflowId?: string | undefined;
  readonly workflowName?: string | undefined;
  readonly triggeredBy?: string | undefined;
  readonly communityId?: number | undefined;
  /** ISO 8601; from this moment on. */
  readonly createdAfter?: string | undefined;
  /** ISO 8601; up to, and without, this moment. */
  readonly createdBefore?: string | undefined;
  /** Of the start, or of the creation where it has not started. */
  readonly startedAfter?: string | undefined;
  readonly startedBefore?: string | undefined;
  /** Words of one error, or of one attempt's log lines. */
  readonly mentions?: string | undefined;
}

/** As conditions for `where`, on the runs `r`. */
export function runConditions(filter: RunFilter, parameters: Parameters): string[] {
  const conditions: string[] = [];
  const where = (condition: (parameter: string) => string, value: unknown) => {
    if (value !== undefined) conditions.push(condition(parameters.add(value)));
  };
  if (filter.statuses !== undefined) conditions.push(...statusConditions(filter.statuses, parameters));
  if (isUuid(filter.workflowId))
    where((value) => `r.workflow_definition_id = ${value}`, filter.workflowId?.toLowerCase());
  else where((value) => `r.workflow_id = ${value}`, filter.workflowId);
  where((value) => `r.workflow_name = ${value}`, filter.workflowName);
  where((value) => `r.triggered_by = ${value}`, filter.triggeredBy);
  where((value) => `r.community_id = ${value}`, filter.communityId);
  where((value) => `r.created_at >= ${value}::timestamptz`, filter.createdAfter);
  where((value) => `r.created_at < ${value}::timestamptz`, filter.createdBefore);
  where((value) => `r.begun_at >= ${value}::timestamptz`, filter.startedAfter);
  where((value) => `r.begun_at < ${value}::timestamptz`, filter.startedBefore);
  if (filter.mentions !== undefined) conditions.push(mentions(filter.mentions, parameters));
  return conditions;
}

const OPEN: readonly ExecutionStatus[] = ['PENDING', 'RUNNING'];

/** By the column that the indexes have, and, where only some of the open runs are asked for, by what a pause makes of it. */
function statusConditions(asked: readonly ExecutionStatus[], parameters: Parameters): string[] {
  const underneath = new Set(asked.flatMap((status) => (status === 'PAUSED' ? OPEN : [status])));
  const conditions = [`r.status = any(${parameters.add([...underneath])}::text[])`];
  const open = new Set(asked.filter((status) => status === 'PAUSED' || OPEN.includes(status)));
  if (open.size > 0 && open.size <= OPEN.length)
    conditions.push(`r.execution_status = any(${parameters.add(asked)}::text[])`);
  return conditions;
}
