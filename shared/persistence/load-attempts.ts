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

/** What a batch's events are about, by run: attempts by id, a run's open ones, a run's last. */
export async function loadAttempts(
  statements: Statements,
  { ids, withInput, openOf, lastOf }: AttemptQuery,
): Promise<ReadonlyMap<string, Attempt[]>> {
  if (ids.length + openOf.length + lastOf.length === 0) return new Map();
  const rows = await statements.many<AttemptRow>('select * from load_attempts($1, $2, $3, $4)', [
    ids,
    withInput,
    openOf,
    lastOf,
  ]);
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
