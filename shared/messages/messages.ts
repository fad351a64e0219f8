import * as z from 'zod';
import { shownAs } from '../documents/json-schema.ts';
import type { Json, JsonObject } from '../engine/json.ts';

/**
 * Every message on Kafka. Execution and cancellation requests are as api-executor-integration shows them; the others are
 * design §4's, in the same style. Fields that we do not know are let through: other producers may send more.
 */
const json = z.custom<Json>((value) => value !== undefined, 'expected JSON');
const object = shownAs(
  z.custom<JsonObject>(
    (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
    'expected an object',
  ),
  { type: 'object' },
);
const id = z.string().min(1).max(255);
const timestamp = z.string().max(64);

export const executionRequest = z.object({
  message_type: z.literal('execution_request'),
  run_id: id,
  workflow_plan: object.describe(
    'A workflow definition, with `workflow_id` and `version`. Used only for a run that another producer inserted without one.',
  ),
  input_data: json.optional(),
  timestamp,
});

export const cancellationRequest = z.object({
  message_type: z.literal('cancellation_request'),
  run_id: id,
  cancelled_by: z.string().max(255).nullish(),
  reason: z.string().max(4000).nullish(),
  timestamp,
});

/** What an agent is to do. Keyed by `step_execution_id`. */
export const agentTask = z.object({
  message_type: z.literal('agent_task'),
  run_id: id,
  step_execution_id: id,
  step_id: id,
  agent_name: id,
  attempt: z.number().int().min(1),
  input_data: json,
  idempotency_key: z
    .string()
    .min(1)
    .max(4_096)
    .describe(
      'Stable over the attempts of one visit of a step with one input: an agent that keeps it answers a repeat without doing the work twice.',
    ),
  deadline: timestamp.describe('ISO 8601. After it the attempt is closed and an answer changes nothing.'),
  result_token: z
    .string()
    .max(255)
    .describe('To be sent back with the answer, which is dead-lettered without it.'),
  timestamp,
});

/** What an agent leaves out is taken as the least it can mean: a failure that may pass. */
export const agentError = z.object({
  code: z.string().min(1).max(255).default('AGENT_ERROR'),
  message: z.string().default('The agent failed and said no more'),
  retryable: z.boolean().default(true),
  retry_after_ms: z
    .number()
    .min(0)
    .max(86_400_000)
    .optional()
    .describe('From `Retry-After`: the next attempt begins no earlier.'),
});

export const agentResult = z.object({
  message_type: z.literal('agent_result'),
  run_id: id,
  step_execution_id: id,
  /** Null or absent from a child run, which knows the attempt that waits for it by its id alone. */
  attempt: z.number().int().min(1).nullish(),
  status: z.enum(['completed', 'failed']),
  output_data: json.optional(),
  error: agentError.nullish(),
  logs: z.array(z.string()).nullish(),
  result_token: z.string().max(255),
  timestamp: timestamp.optional(),
});

/** Enter the PENDING attempt that the sender's decision inserted. */
export const stepRequest = z.object({
  message_type: z.literal('step_request'),
  run_id: id,
  step_execution_id: id,
  timestamp,
});

/** A parent run goes on, and its child is to go on with it, where it ended. */
export const retryRequest = z.object({
  message_type: z.literal('retry_request'),
  run_id: id.describe('The child.'),
  step_execution_id: id.describe('The attempt of the parent that waits for it now.'),
  previous_step_execution_id: id
    .nullish()
    .describe(
      'The attempt that waited for it before: a record of an earlier retry names another, and is refused.',
    ),
  is_reminder: z
    .boolean()
    .optional()
    .describe(
      'The parent waits still, and asks now and then: a child that has ended answers again. One that was never told of this attempt goes on for it.',
    ),
  retry_token: z.string().max(255).describe('Of the two ids together: no agent is ever given it.'),
  timestamp,
});

/** The timekeeper's: something of this run is due. `step_execution_id` is absent where it is the run itself. */
export const wake = z.object({
  message_type: z.literal('wake'),
  run_id: id,
  step_execution_id: id.nullish(),
  timestamp: shownAs(z.iso.datetime({ offset: true }), { type: 'string', format: 'date-time' }).describe(
    "The database's clock: what was due by it is due.",
  ),
});

export const monitoringUpdate = z.object({
  message_type: z.literal('monitoring_update'),
  run_id: id,
  workflow_id: id,
  sequence: z
    .number()
    .int()
    .describe('One more than the update before it of the same run: a reader sees order, repeats and gaps.'),
  status: z.string(),
  step_id: z.string().nullable(),
  scope: z.string().nullish().describe('The branch or item that the step runs in; null at the top.'),
  step_status: z.string().nullable(),
  attempt: z.number().int().nullable(),
  error_message: z.string().nullable(),
  timestamp,
});

export const deadLetter = z.object({
  message_type: z.literal('dead_letter'),
  reason: z.string(),
  topic: z.string().describe('Where it came from.'),
  partition: z.number().int(),
  offset: z.number().int(),
  key: z.string().nullable().describe('As it came, base64; null where it had none.'),
  value: z
    .string()
    .nullable()
    .describe('As it came, base64; null where it had none, or is too large to be repeated.'),
  timestamp,
});

export type ExecutionRequest = z.infer<typeof executionRequest>;
export type CancellationRequest = z.infer<typeof cancellationRequest>;
export type AgentTask = z.infer<typeof agentTask>;
export type AgentError = z.infer<typeof agentError>;
export type AgentResult = z.infer<typeof agentResult>;
export type StepRequest = z.infer<typeof stepRequest>;
export type RetryRequest = z.infer<typeof retryRequest>;
export type Wake = z.infer<typeof wake>;
export type MonitoringUpdate = z.infer<typeof monitoringUpdate>;
export type DeadLetter = z.infer<typeof deadLetter>;

/** What the step-executor consumes; `message_type` tells which. */
export const executorMessage = z.discriminatedUnion('message_type', [
  executionRequest,
  cancellationRequest,
  agentResult,
  stepRequest,
  retryRequest,
  wake,
]);
export type ExecutorMessage = z.infer<typeof executorMessage>;
