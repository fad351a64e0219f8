import * as z from 'zod';
import type { Plan } from '../../../shared/engine/plan.ts';
import type { StepDetails } from '../../../shared/persistence/run-queries.ts';
import { count, json, runId, stepStatus, textOrNull, timestamp } from '../fields/response-fields.ts';
import { placeFields, presentPlace } from './place.ts';
import { isoOf, millisecondsBetween } from './times.ts';

export const step = z
  .strictObject({
    step_execution_id: z.string().meta({ examples: ['019338b2-7c00-7000-8000-000000000001'] }),
    run_id: runId,
    step_id: z.string().meta({ examples: ['extract'] }),
    step_name: z.string().meta({ examples: ['extract'] }),
    step_type: z
      .string()
      .describe('Its type, or what the definition says instead.')
      .meta({ examples: ['agent'] }),
    agent_name: z
      .string()
      .nullable()
      .describe('Null where the step is done by no agent.')
      .meta({ examples: ['data-extractor'] }),
    status: stepStatus,
    attempt: count.describe('From 1.').meta({ examples: [1] }),
    visit: count.describe('From 1; a step in a loop is visited again.').meta({ examples: [1] }),
    scope: z
      .string()
      .describe(
        'The path of the branch or item that it stands in, as a retry takes it in `from_scope`; empty at the top.',
      )
      .meta({ examples: [''] }),
    ...placeFields,
    input_data: json,
    output_data: json,
    error_message: textOrNull,
    error_code: textOrNull,
    logs: z.array(z.string()).meta({ examples: [['Node execution started']] }),
    created_at: timestamp,
    started_at: timestamp.nullable(),
    completed_at: timestamp.nullable(),
    duration_ms: count.nullable().meta({ examples: [1_500] }),
    due_at: timestamp
      .nullable()
      .describe('When a retry or a wait is over.')
      .meta({ examples: [null] }),
    deadline_at: timestamp
      .nullable()
      .describe('After it the attempt is closed.')
      .meta({ examples: [null] }),
    heartbeat_due_at: timestamp
      .nullable()
      .describe('By when the agent that accepted is to give a sign of life.')
      .meta({ examples: [null] }),
    signal_name: textOrNull.describe('The signal that it waits for, or waited for.'),
    child_run_id: textOrNull.describe('The run that it started.'),
  })
  .meta({ id: 'StepExecution' });

/** One attempt of a step, as a row of `…/steps`. */
export function presentStep(details: StepDetails, plan: Plan | null): z.infer<typeof step> {
  const { started_at, completed_at } = details;
  return {
    step_execution_id: details.step_execution_id,
    run_id: details.run_id,
    step_id: details.step_id,
    step_name: details.step_name,
    step_type: details.step_type,
    agent_name: details.agent_name || null,
    status: details.status,
    attempt: details.attempt,
    visit: details.visit,
    scope: details.scope,
    ...presentPlace(details.scope, plan),
    input_data: details.input_data,
    output_data: details.output_data,
    error_message: details.error_message,
    error_code: details.error_code,
    logs: [...(details.logs ?? [])],
    created_at: details.created_at.toISOString(),
    started_at: isoOf(started_at),
    completed_at: isoOf(completed_at),
    duration_ms: millisecondsBetween(started_at, completed_at),
    due_at: isoOf(details.due_at),
    deadline_at: isoOf(details.deadline_at),
    heartbeat_due_at: isoOf(details.heartbeat_due_at),
    signal_name: details.signal_name,
    child_run_id: details.child_run_id,
  };
}
