<<<<<<< HEAD
import type { Changes, OutboxEntry } from '../application/ports.ts';
=======
import type { AttemptOpened, Changes, OutboxEntry, RunAdvance, RunChange } from '../application/ports.ts';
import type { Attempt } from '../engine/state.ts';
import { insertRecords } from './audit-log.ts';
>>>>>>> strict
import type { Statements } from './database.ts';

/**
<<<<<<< HEAD
 * Writes a batch's decisions and what they publish, by one call of `save_decisions` (functions/save_decisions.sql): every write
 * carries its guard, and one that misses rolls the batch back.
 * @throws StaleDecisionError
=======
 * Writes a batch's decisions, as one statement of up to six parts, each with all its rows in its parameters: a round trip and
 * its overhead once, which is what a batch of one feels. Every update carries its guard; a guard that misses rolls the batch back.
>>>>>>> strict
 */
export async function saveChanges(
  statements: Statements,
  { closed, started, opened, advanced, changed }: Changes,
  outbox: OutboxEntry,
): Promise<void> {
  await statements.execute('select save_decisions($1, $2, $3, $4, $5, $6, $7)', [
    rows(closed, ({ stepExecutionId, status, outputData, error, logs, completedAt }) => ({
      id: stepExecutionId,
      status,
      output_data: outputData,
      error_message: error?.message,
      error_code: error?.code,
      logs: logs ?? undefined,
      completed_at: iso(completedAt),
    })),
    rows(started, (attempt) => ({
      id: attempt.stepExecutionId,
      started_at: iso(attempt.startedAt),
      deadline_at: iso(attempt.deadlineAt),
      republished_at: iso(attempt.republishedAt),
      wake_at: iso(attempt.wakeAt),
    })),
    rows(opened, ({ runId, stepName, agentName, stepType, attempt }) => ({
      id: attempt.stepExecutionId,
      run_id: runId,
      step_id: attempt.stepId,
      step_name: stepName,
      agent_name: agentName,
      step_type: stepType,
      status: attempt.status,
      input_data: attempt.inputData,
      error_message: attempt.error?.message,
      error_code: attempt.error?.code,
      created_at: iso(attempt.createdAt),
      started_at: iso(attempt.startedAt),
      completed_at: iso(attempt.completedAt),
      scope: attempt.scope,
      visit: attempt.visit,
      attempt: attempt.attempt,
      policy_attempt: attempt.policyAttempt,
      timeout_ms: attempt.timeoutMs,
      due_at: iso(attempt.dueAt),
      deadline_at: iso(attempt.deadlineAt),
      wake_at: iso(attempt.wakeAt),
    })),
    rows(advanced, ({ runId, sequence }) => ({ run_id: runId, sequence })),
    rows(changed, ({ run, versionId }) => ({
      run_id: run.runId,
      status: run.status,
      sequence: run.sequence,
      started_at: iso(run.startedAt),
      completed_at: iso(run.completedAt),
      output_data: run.outputData,
      error_message: run.error?.message,
      error_code: run.error?.code,
      error_step_id: run.error?.stepId,
      error_attempt: run.error?.attempt,
      cancelled_at: iso(run.cancellation?.at ?? null),
      cancelled_by: run.cancellation?.by,
      cancel_reason: run.cancellation?.reason,
      retried_at: iso(run.retriedAt),
      wake_at: iso(run.wakeAt),
      workflow_version_id: versionId,
    })),
    outbox.id,
    JSON.stringify(outbox.messages),
  ]);
}

<<<<<<< HEAD
/** A JSON array, or null where there is nothing to write. */
function rows<Item>(items: readonly Item[], rowOf: (item: Item) => object): string | null {
  return items.length === 0 ? null : JSON.stringify(items.map(rowOf));
=======
interface Write {
  readonly name: string;
  readonly rows: number;
  readonly sql: string;
}

function writesOf({ closed, started, opened, advanced, changed, audited }: Changes) {
  const values: unknown[] = [];
  const parameter = (value: unknown) => `$${values.push(value)}`;
  const parts: Write[] = [];
  const write = <Row>(name: string, rows: readonly Row[], sqlOf: (rows: readonly Row[]) => string) => {
    if (rows.length > 0) parts.push({ name, rows: rows.length, sql: sqlOf(rows) });
  };
  write('closed', closed, (rows) => closeAttempts(rows, parameter));
  write('started', started, (rows) => startAttempts(rows, parameter));
  write('opened', opened, (rows) => insertAttempts(rows, parameter));
  write('advanced', advanced, (rows) => advanceRuns(rows, parameter));
  write('changed', changed, (rows) => updateRuns(rows, parameter));
  write('audited', audited, (rows) => insertRecords(rows, parameter));
  return { parts, values };
}

const CLOSED = {
  id: 'uuid',
  status: 'text',
  output_data: 'jsonb',
  error_message: 'text',
  error_code: 'text',
  logs: 'jsonb',
  completed_at: 'timestamptz',
};

function closeAttempts(attempts: readonly Attempt[], parameter: Parameter): string {
  const rows = attempts.map(({ stepExecutionId, status, outputData, error, logs, completedAt }) => ({
    id: stepExecutionId,
    status,
    output_data: outputData,
    error_message: error?.message,
    error_code: error?.code,
    logs: logs ?? undefined,
    completed_at: iso(completedAt),
  }));
  return `update step_executions as s
             set status = v.status, output_data = v.output_data, error_message = v.error_message,
                 error_code = v.error_code, logs = v.logs, completed_at = v.completed_at, due_at = null, wake_at = null
            from ${rowSource(CLOSED, rows, parameter)}
           where ${isOneOf('s', 'id', CLOSED, rows, parameter)} and s.status in ('PENDING', 'RUNNING')`;
}

const STARTED = {
  id: 'uuid',
  started_at: 'timestamptz',
  deadline_at: 'timestamptz',
  republished_at: 'timestamptz',
  wake_at: 'timestamptz',
};

function startAttempts(attempts: readonly Attempt[], parameter: Parameter): string {
  const rows = attempts.map((attempt) => ({
    id: attempt.stepExecutionId,
    started_at: iso(attempt.startedAt),
    deadline_at: iso(attempt.deadlineAt),
    republished_at: iso(attempt.republishedAt),
    wake_at: iso(attempt.wakeAt),
  }));
  return `update step_executions as s
             set status = 'RUNNING', started_at = v.started_at, deadline_at = v.deadline_at,
                 republished_at = v.republished_at, wake_at = v.wake_at, due_at = null
            from ${rowSource(STARTED, rows, parameter)}
           where ${isOneOf('s', 'id', STARTED, rows, parameter)} and s.status in ('PENDING', 'RUNNING')`;
}

const OPENED = {
  id: 'uuid',
  run_id: 'text',
  step_id: 'text',
  step_name: 'text',
  agent_name: 'text',
  step_type: 'text',
  status: 'text',
  input_data: 'jsonb',
  error_message: 'text',
  error_code: 'text',
  created_at: 'timestamptz',
  started_at: 'timestamptz',
  completed_at: 'timestamptz',
  scope: 'text',
  visit: 'int',
  attempt: 'int',
  policy_attempt: 'int',
  timeout_ms: 'bigint',
  due_at: 'timestamptz',
  deadline_at: 'timestamptz',
  wake_at: 'timestamptz',
};

function insertAttempts(opened: readonly AttemptOpened[], parameter: Parameter): string {
  const rows = opened.map(({ runId, stepName, agentName, stepType, attempt }) => ({
    id: attempt.stepExecutionId,
    run_id: runId,
    step_id: attempt.stepId,
    step_name: stepName,
    agent_name: agentName,
    step_type: stepType,
    status: attempt.status,
    input_data: attempt.inputData,
    error_message: attempt.error?.message,
    error_code: attempt.error?.code,
    created_at: iso(attempt.createdAt),
    started_at: iso(attempt.startedAt),
    completed_at: iso(attempt.completedAt),
    scope: attempt.scope,
    visit: attempt.visit,
    attempt: attempt.attempt,
    policy_attempt: attempt.policyAttempt,
    timeout_ms: attempt.timeoutMs,
    due_at: iso(attempt.dueAt),
    deadline_at: iso(attempt.deadlineAt),
    wake_at: iso(attempt.wakeAt),
  }));
  const columns = Object.keys(OPENED).join(', ');
  return `insert into step_executions (step_execution_id, ${columns})
          select id::text, ${columns} from ${rowSource(OPENED, rows, parameter)}`;
}

const ADVANCED = { run_id: 'text', sequence: 'bigint' };

/** The sequence only grows: an update from a state that is no longer the last one touches no row. */
function advanceRuns(runs: readonly RunAdvance[], parameter: Parameter): string {
  const rows = runs.map(({ runId, sequence }) => ({ run_id: runId, sequence }));
  return `update workflow_runs as r set sequence = v.sequence, updated_at = now()
            from ${rowSource(ADVANCED, rows, parameter)}
           where ${isOneOf('r', 'run_id', ADVANCED, rows, parameter)}
             and r.sequence < v.sequence and r.status = 'RUNNING'`;
}

const CHANGED = {
  run_id: 'text',
  status: 'text',
  sequence: 'bigint',
  started_at: 'timestamptz',
  completed_at: 'timestamptz',
  output_data: 'jsonb',
  error_message: 'text',
  error_code: 'text',
  error_step_id: 'text',
  error_attempt: 'int',
  cancelled_at: 'timestamptz',
  cancelled_by: 'text',
  cancel_reason: 'text',
  retried_at: 'timestamptz',
  wake_at: 'timestamptz',
  workflow_version_id: 'uuid',
};

function updateRuns(changes: readonly RunChange[], parameter: Parameter): string {
  const rows = changes.map(({ run, versionId }) => ({
    run_id: run.runId,
    status: run.status,
    sequence: run.sequence,
    started_at: iso(run.startedAt),
    completed_at: iso(run.completedAt),
    output_data: run.outputData,
    error_message: run.error?.message,
    error_code: run.error?.code,
    error_step_id: run.error?.stepId,
    error_attempt: run.error?.attempt,
    cancelled_at: iso(run.cancellation?.at ?? null),
    cancelled_by: run.cancellation?.by,
    cancel_reason: run.cancellation?.reason,
    retried_at: iso(run.retriedAt),
    wake_at: iso(run.wakeAt),
    workflow_version_id: versionId,
  }));
  const assignments = Object.keys(CHANGED)
    .filter((column) => column !== 'run_id')
    .map((column) => `${column} = v.${column}`);
  return `update workflow_runs as r set ${assignments.join(', ')}, updated_at = now()
            from ${rowSource(CHANGED, rows, parameter)}
           where ${isOneOf('r', 'run_id', CHANGED, rows, parameter)} and r.sequence < v.sequence`;
>>>>>>> strict
}

function iso(epochMs: number | null): string | null {
  return epochMs === null ? null : new Date(epochMs).toISOString();
}
