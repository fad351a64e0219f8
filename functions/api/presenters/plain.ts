import type { ExecutionDetails } from '../../../shared/persistence/execution-queries.ts';
import type { LogEntry } from '../../../shared/persistence/node-queries.ts';
import { endOf, identityOf } from './execution.ts';
import { isoOf } from './run.ts';

/** A run on the plain face. */
export function presentPlainExecution(run: ExecutionDetails) {
  const { execution_id: id, workflow_id, status } = identityOf(run);
  return {
    id,
    workflow_id,
    status,
    // Either stands for the other (design §5).
    input_data: run.input_data ?? run.variables,
    output_data: run.output_data,
    error_message: run.error_message,
    started_at: isoOf(run.begun_at),
    completed_at: isoOf(endOf(run)),
  };
}

/** The answer to starting and to cancelling. */
export function presentPlainResult({ id, status, output_data, error_message }: PlainExecution) {
  return { execution_id: id, status, output_data, error_message };
}

type PlainExecution = Pick<
  ReturnType<typeof presentPlainExecution>,
  'id' | 'status' | 'output_data' | 'error_message'
>;

/** One attempt of a step. */
export function presentLogEntry(entry: LogEntry) {
  const { started_at, completed_at, created_at } = entry;
  return {
    id: entry.id,
    step_name: entry.step_name,
    step_type: entry.step_type,
    input_data: entry.input_data,
    output_data: entry.output_data,
    duration_ms: started_at && completed_at ? completed_at.getTime() - started_at.getTime() : null,
    error_message: entry.error_message,
    timestamp: (started_at ?? created_at).toISOString(),
    step_id: entry.step_id,
    status: entry.status.toLowerCase(),
    attempt: entry.attempt,
    error_code: entry.error_code,
    logs: entry.logs ?? [],
  };
}
