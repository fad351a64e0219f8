import type { AttemptQuery } from '../application/ports.ts';
import type { Json } from '../engine/json.ts';
import type { Attempt, AttemptStatus } from '../engine/state.ts';
import type { Statements } from './database.ts';

interface AttemptRow {
  run_id: string;
  step_execution_id: string;
  step_id: string;
  scope: string;
  visit: number;
  attempt: number;
  policy_attempt: number;
  status: AttemptStatus;
  input_data: Json;
  created_at: Date;
  started_at: Date | null;
  completed_at: Date | null;
  timeout_ms: number | null;
  due_at: Date | null;
  deadline_at: Date | null;
  accepted_at: Date | null;
  republished_at: Date | null;
  wake_at: Date | null;
}

const COLUMNS = `s.run_id, s.step_execution_id, s.step_id, s.scope, s.visit, s.attempt, s.policy_attempt, s.status,
  s.created_at, s.started_at, s.completed_at, s.timeout_ms, s.due_at, s.deadline_at, s.accepted_at, s.republished_at, s.wake_at`;

/**
 * What a batch's events are about, by run: attempts by id, a run's open ones, a run's last. One statement of the branches that
 * are asked for, each on its index; most batches ask for the first alone.
 */
export async function loadAttempts(
  statements: Statements,
  { ids, withInput, openOf, lastOf }: AttemptQuery,
): Promise<ReadonlyMap<string, Attempt[]>> {
  const branches: string[] = [];
  const values: unknown[] = [];
  const parameter = (value: unknown) => `$${values.push(value)}::text[]`;
  if (ids.length > 0) {
    const input =
      withInput.length === 0
        ? 'null::jsonb'
        : `case when s.step_execution_id = any(${parameter(withInput)}) then s.input_data end`;
    branches.push(
      `select ${COLUMNS}, ${input} as input_data from step_executions s where s.step_execution_id = any(${parameter(ids)})`,
    );
  }
  if (openOf.length > 0) {
    branches.push(
      `select ${COLUMNS}, null::jsonb as input_data from step_executions s
        where s.run_id = any(${parameter(openOf)}) and s.status in ('PENDING', 'RUNNING')
          and s.step_execution_id <> all(${parameter(ids)})`,
    );
  }
  if (lastOf.length > 0) {
    branches.push(
      `select last.* from unnest(${parameter(lastOf)}) as asked (run_id)
        cross join lateral (
          select ${COLUMNS}, null::jsonb as input_data from step_executions s
           where s.run_id = asked.run_id order by s.created_at desc, s.id desc limit 1
        ) as last
        where last.step_execution_id <> all(${parameter(ids)})`,
    );
  }
  if (branches.length === 0) return new Map();
  const rows = await statements.many<AttemptRow>(branches.join(' union all '), values);
  const byRun = new Map<string, Attempt[]>();
  for (const row of rows) {
    const attempts = byRun.get(row.run_id);
    if (attempts === undefined) byRun.set(row.run_id, [attemptOf(row)]);
    else attempts.push(attemptOf(row));
  }
  return byRun;
}

function attemptOf(row: AttemptRow): Attempt {
  return {
    stepExecutionId: row.step_execution_id,
    stepId: row.step_id,
    scope: row.scope,
    visit: row.visit,
    attempt: row.attempt,
    policyAttempt: row.policy_attempt,
    status: row.status,
    inputData: row.input_data,
    // What a settled attempt came to is never read back by a decision.
    outputData: null,
    error: null,
    logs: null,
    createdAt: row.created_at.getTime(),
    startedAt: row.started_at?.getTime() ?? null,
    completedAt: row.completed_at?.getTime() ?? null,
    timeoutMs: row.timeout_ms,
    dueAt: row.due_at?.getTime() ?? null,
    deadlineAt: row.deadline_at?.getTime() ?? null,
    acceptedAt: row.accepted_at?.getTime() ?? null,
    republishedAt: row.republished_at?.getTime() ?? null,
    wakeAt: row.wake_at?.getTime() ?? null,
  };
}
