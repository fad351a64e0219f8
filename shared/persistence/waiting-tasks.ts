import type { AttemptNote } from '../application/publish-claimed.ts';
import type { Statements } from './database.ts';

/** Those of the attempts that are open. */
export async function findOpenAttempts(
  statements: Statements,
  stepExecutionIds: readonly string[],
): Promise<ReadonlySet<string>> {
  const rows = await statements.many<{ step_execution_id: string }>(
    `select step_execution_id from step_executions
      where step_execution_id = any($1) and status in ('PENDING', 'RUNNING')`,
    [stepExecutionIds],
  );
  return new Set(rows.map(({ step_execution_id }) => step_execution_id));
}

/**
 * Says on attempts that are under way what they wait for, or nothing any more. Waits for no decision: what one has under lock it is
 * about to change, and the note is not worth it.
 */
export async function noteOnAttempts(statements: Statements, notes: readonly AttemptNote[]): Promise<void> {
  await statements.execute(
    `with noted as materialized (
       select s.run_id, s.step_execution_id, v.message from unnest($1::text[], $2::text[]) as v (id, message)
         join step_executions s on s.step_execution_id = v.id
        where s.status = 'RUNNING' and s.accepted_at is null and s.error_message is distinct from v.message
        for update of s skip locked)
     update step_executions s set error_message = n.message from noted n
      where s.step_execution_id = n.step_execution_id and s.run_id = n.run_id`,
    [notes.map(({ stepExecutionId }) => stepExecutionId), notes.map(({ message }) => message)],
  );
}
