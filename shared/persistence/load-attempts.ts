import type { AttemptQuery } from '../application/ports/run-store.ts';
import type { Json } from '../engine/json.ts';
import type { Attempt, AttemptStatus } from '../engine/state.ts';
import type { Statements } from './database.ts';

export interface AttemptRow {
  run_id: string;
  step_execution_id: string;
  step_id: string;
  scope: string;
  visit: number;
  attempt: number;
  policy_attempt: number;
  policy_retries: number[] | null;
  status: AttemptStatus;
  input_data: Json;
  created_at: Date;
  started_at: Date | null;
  completed_at: Date | null;
  timeout_ms: number | null;
  due_at: Date | null;
  deadline_at: Date | null;
  accepted_at: Date | null;
  heartbeat_ms: number | null;
  heartbeat_due_at: Date | null;
  republished_at: Date | null;
  signal_name: string | null;
  child_run_id: string | null;
  wake_at: Date | null;
  error_code: string | null;
}

/** What a batch's events are about, by run (functions/load_attempts.sql). One statement, or none where nothing is asked. */
export async function loadAttempts(
  statements: Statements,
  query: AttemptQuery,
): Promise<ReadonlyMap<string, Attempt[]>> {
  const parameters = attemptParameters(query);
  const [ids, , others] = parameters;
  if (ids.length === 0 && others === null) return new Map();
  const rows = await statements.many<AttemptRow>('select * from load_attempts($1, $2, $3)', parameters);
  const byRun = Map.groupBy(rows, ({ run_id }) => run_id);
  return new Map([...byRun].map(([runId, ofRun]) => [runId, ofRun.map(attemptOf)]));
}

export function attemptParameters({ ids, withInput, ...query }: AttemptQuery) {
  const others = othersOf(query);
  return [ids, withInput, others.length === 0 ? null : JSON.stringify(others)] as const;
}

interface Other {
  readonly kind: 'open' | 'within' | 'container' | 'waiting' | 'last' | 'top' | 'step';
  readonly run_id: string;
  readonly path?: string | null;
  readonly name?: string;
  readonly number?: number;
}

function othersOf({
  openOf,
  openWithin,
  containers,
  waiting,
  lastOf,
  lastWithin,
  lastAtTopOf,
  steps,
}: Omit<AttemptQuery, 'ids' | 'withInput'>): Other[] {
  return [
    ...openOf.map((runId): Other => ({ kind: 'open', run_id: runId })),
    ...openWithin.map(({ runId, path }): Other => ({ kind: 'within', run_id: runId, path })),
    ...containers.map(({ runId, path }): Other => ({ kind: 'container', run_id: runId, path })),
    ...waiting.map(
      ({ runId, name, count }): Other => ({ kind: 'waiting', run_id: runId, name, number: count }),
    ),
    ...lastOf.map((runId): Other => ({ kind: 'last', run_id: runId })),
    ...lastWithin.map(({ runId, scope }): Other => ({ kind: 'last', run_id: runId, path: scope })),
    ...lastAtTopOf.map((runId): Other => ({ kind: 'top', run_id: runId })),
    ...steps.map(
      ({ runId, scope, stepId }): Other => ({ kind: 'step', run_id: runId, path: scope, name: stepId }),
    ),
  ];
}

export function attemptOf(row: AttemptRow): Attempt {
  return {
    stepExecutionId: row.step_execution_id,
    stepId: row.step_id,
    scope: row.scope,
    visit: row.visit,
    attempt: row.attempt,
    policyAttempt: row.policy_attempt,
    policyRetries: row.policy_retries,
    status: row.status,
    inputData: row.input_data,
    // What a settled attempt came to is never read back by a decision, but for its error's code.
    outputData: null,
    error: row.error_code === null ? null : { code: row.error_code, message: '' },
    logs: null,
    createdAt: row.created_at.getTime(),
    startedAt: row.started_at?.getTime() ?? null,
    completedAt: row.completed_at?.getTime() ?? null,
    timeoutMs: row.timeout_ms,
    dueAt: row.due_at?.getTime() ?? null,
    deadlineAt: row.deadline_at?.getTime() ?? null,
    acceptedAt: row.accepted_at?.getTime() ?? null,
    heartbeatMs: row.heartbeat_ms,
    heartbeatDueAt: row.heartbeat_due_at?.getTime() ?? null,
    republishedAt: row.republished_at?.getTime() ?? null,
    signalName: row.signal_name,
    childRunId: row.child_run_id,
    wakeAt: row.wake_at?.getTime() ?? null,
  };
}
