import * as z from 'zod';
import type { ExecutionDetails } from '../../../shared/persistence/execution-queries.ts';
import type { LogEntry } from '../../../shared/persistence/node-queries.ts';
import {
  attemptStatus,
  count,
  executionStatus,
  json,
  textOrNull,
  timestamp,
  uuid,
} from '../fields/response-fields.ts';
import { endOf, identityOf } from './execution.ts';
import { withScope } from './place.ts';
import { isoOf, millisecondsBetween } from './times.ts';

export const plainExecution = z
  .strictObject({
    id: uuid,
    workflow_id: z
      .string()
      .describe("The workflow's `id`.")
      .meta({ examples: ['550e8400-e29b-41d4-a716-446655440001'] }),
    status: executionStatus,
    input_data: json,
    output_data: json,
    error_message: textOrNull,
    started_at: timestamp.nullable(),
    completed_at: timestamp.nullable(),
  })
  .meta({ id: 'PlainExecution' });

export const plainResult = z
  .strictObject({
    execution_id: uuid,
    status: executionStatus,
    output_data: json,
    error_message: textOrNull,
  })
  .meta({ id: 'PlainResult' });

export const logEntry = z
  .strictObject({
    id: uuid,
    step_name: z
      .string()
      .describe('With its branch or item before it: `each[3].extract`.')
      .meta({ examples: ['extract'] }),
    step_type: z.string().meta({ examples: ['agent'] }),
    input_data: json,
    output_data: json,
    duration_ms: count.nullable().meta({ examples: [1_500] }),
    error_message: textOrNull,
    timestamp,
    step_id: z.string().meta({ examples: ['extract'] }),
    status: attemptStatus,
    attempt: count.describe('From 1.').meta({ examples: [1] }),
    error_code: textOrNull,
    logs: z.array(z.string()).meta({ examples: [['Node execution started']] }),
  })
  .meta({ id: 'LogEntry' });

/** A run on the plain face. */
export function presentPlainExecution(run: ExecutionDetails): PlainExecution {
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
export function presentPlainResult({
  id,
  status,
  output_data,
  error_message,
}: Pick<PlainExecution, 'id' | 'status' | 'output_data' | 'error_message'>): z.infer<typeof plainResult> {
  return { execution_id: id, status, output_data, error_message };
}

type PlainExecution = z.infer<typeof plainExecution>;

/** One attempt of a step. */
export function presentLogEntry(entry: LogEntry): z.infer<typeof logEntry> {
  const { started_at, completed_at, created_at } = entry;
  return {
    id: entry.id,
    step_name: withScope(entry.scope, entry.step_name),
    step_type: entry.step_type,
    input_data: entry.input_data,
    output_data: entry.output_data,
    duration_ms: millisecondsBetween(started_at, completed_at),
    error_message: entry.error_message,
    timestamp: (started_at ?? created_at).toISOString(),
    step_id: entry.step_id,
    status: entry.status.toLowerCase() as Lowercase<LogEntry['status']>,
    attempt: entry.attempt,
    error_code: entry.error_code,
    logs: [...(entry.logs ?? [])],
  };
}
