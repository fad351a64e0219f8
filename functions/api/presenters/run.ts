import * as z from 'zod';
import type { RunDetails, RunSummary } from '../../../shared/persistence/run-queries.ts';
import {
  count,
  json,
  jsonRecord,
  runId,
  runStatus,
  textOrNull,
  timestamp,
  uuid,
} from '../fields/response-fields.ts';
import { isoOf } from './times.ts';

const OUR_RUN_ID = /^run-([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$/;

const summaryFields = {
  run_id: runId,
  execution_id: uuid,
  workflow_id: z
    .string()
    .describe('`wf-<name>-<version>`.')
    .meta({ examples: ['wf-data-pipeline-1'] }),
  workflow_name: z.string().meta({ examples: ['data-pipeline'] }),
  workflow_definition_id: z
    .string()
    .nullable()
    .describe("The workflow's `id`.")
    .meta({ examples: ['550e8400-e29b-41d4-a716-446655440001'] }),
  version: count.nullable().meta({ examples: [1] }),
  status: runStatus,
  error_message: textOrNull,
  error_code: textOrNull,
  error_step_id: textOrNull,
  error_attempt: count.nullable().meta({ examples: [null] }),
  triggered_by: z
    .string()
    .nullable()
    .meta({ examples: ['user@example.com'] }),
  community_id: z
    .int()
    .nullable()
    .meta({ examples: [123] }),
  parent_run_id: textOrNull.describe('The run that started it.'),
  sequence: count.describe('Raised by every transition, as monitoring updates count them.'),
  created_at: timestamp.nullable().describe('Null only where another producer says none.'),
  started_at: timestamp.nullable(),
  paused_at: timestamp
    .nullable()
    .describe('No step starts since then.')
    .meta({ examples: [null] }),
  held_by: z
    .enum(['run', 'workflow', 'both'])
    .nullable()
    .describe('Whose pause holds it: its own, its workflow’s, or both.')
    .meta({ examples: [null] }),
  updated_at: timestamp.nullable(),
  completed_at: timestamp.nullable(),
  cancelled_at: timestamp.nullable().meta({ examples: [null] }),
  cancelled_by: textOrNull,
  cancel_reason: textOrNull,
};

export const runSummary = z.strictObject(summaryFields).meta({ id: 'RunSummary' });

export const run = z
  .strictObject({
    ...summaryFields,
    input_data: json.describe('Null where it came as `variables`.'),
    output_data: json.describe('Of its last step.'),
    variables: jsonRecord.nullable().meta({ examples: [null] }),
    metadata: jsonRecord.nullable().meta({ examples: [null] }),
  })
  .meta({ id: 'Run' });

/** A run on the runs face, without its data. Statuses are UPPERCASE here. */
export function presentRunSummary(run: RunSummary): z.infer<typeof runSummary> {
  return {
    run_id: run.run_id,
    execution_id: executionIdOf(run),
    workflow_id: run.workflow_id,
    workflow_name: run.workflow_name,
    workflow_definition_id: run.workflow_definition_id,
    version: run.version,
    status: run.execution_status,
    error_message: run.error_message,
    error_code: run.error_code,
    error_step_id: run.error_step_id,
    error_attempt: run.error_attempt,
    triggered_by: run.triggered_by,
    community_id: run.community_id,
    parent_run_id: run.parent_run_id,
    sequence: run.sequence,
    created_at: isoOf(run.created_at),
    // A PENDING run counts from its creation on every face (design §5).
    started_at: isoOf(run.started_at ?? run.created_at),
    // What is closed is not paused any more.
    paused_at: run.execution_status === 'PAUSED' ? isoOf(run.paused_at) : null,
    held_by: run.execution_status === 'PAUSED' ? (run.held_by ?? 'run') : null,
    updated_at: isoOf(run.updated_at),
    completed_at: isoOf(run.completed_at),
    cancelled_at: isoOf(run.cancelled_at),
    cancelled_by: run.cancelled_by,
    cancel_reason: run.cancel_reason,
  };
}

export function presentRun(details: RunDetails): z.infer<typeof run> {
  const { input_data, output_data, variables, metadata } = details;
  return { ...presentRunSummary(details), input_data, output_data, variables, metadata };
}

/** Another producer's run has any text for a run_id; its row's id is as unique. */
export function executionIdOf({ run_id, id }: Pick<RunSummary, 'run_id' | 'id'>): string {
  return OUR_RUN_ID.exec(run_id)?.[1] ?? id;
}
