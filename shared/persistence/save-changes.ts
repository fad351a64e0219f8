import type { Changes, OutboxEntry } from '../application/ports.ts';
import { insertRecords } from './audit-log.ts';
import type { Statements } from './database.ts';
import type { Parameter } from './row-source.ts';

/**
 * Writes a batch's decisions and what they publish, by one call of `save_decisions` (functions/save_decisions.sql): every write
 * carries its guard, and one that misses rolls the batch back.
 * @throws StaleDecisionError
 */
export async function saveChanges(
  statements: Statements,
  { closed, started, opened, advanced, changed, audited }: Changes,
  outbox: OutboxEntry,
): Promise<void> {
  const saved = statements.execute('select save_decisions($1, $2, $3, $4, $5, $6, $7)', [
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
  await Promise.all([saved, audited.length === 0 ? null : insertAudit(statements, audited)]);
}

/** Only calls of the API are audited: what records cause costs no statement for it. */
function insertAudit(statements: Statements, audited: Changes['audited']): Promise<number> {
  const values: unknown[] = [];
  const parameter: Parameter = (value) => `$${values.push(value)}`;
  return statements.execute(insertRecords(audited, parameter), values);
}

/** A JSON array, or null where there is nothing to write. */
function rows<Item>(items: readonly Item[], rowOf: (item: Item) => object): string | null {
  return items.length === 0 ? null : JSON.stringify(items.map(rowOf));
}

function iso(epochMs: number | null): string | null {
  return epochMs === null ? null : new Date(epochMs).toISOString();
}
