import * as z from 'zod';
import { type JsonSchema, shownAs } from '../documents/json-schema.ts';
import type { Json, JsonObject } from '../engine/json.ts';

/**
 * Every message on Kafka. Execution and cancellation requests are as api-executor-integration shows them; the others are
 * design §4's, in the same style. Fields that we do not know are let through: other producers may send more. What cannot be
 * trusted is refused, and an odd detail of what can be is not: its sender would wait for ever.
 */
const json = z.custom<Json>((value) => value !== undefined, 'expected JSON');
const id = z.string().min(1).max(255);
const timestamp = z.string().max(64);

/**
 * A field of other producers' and of agents' records that is taken whatever it is, and null like absent: its reader makes of it
 * what it can. Documents show what is meant.
 */
const asMeant = (meant: JsonSchema) => shownAs(json.nullish(), meant);
/** It is meant to be there. */
const requiredAsMeant = (meant: JsonSchema) =>
  shownAs(z.unknown() as unknown as z.ZodType<Json | undefined>, meant);

export const executionRequest = z.object({
  message_type: z.literal('execution_request'),
  run_id: id,
  workflow_plan: requiredAsMeant({ type: 'object' }).describe(
    'A workflow definition, with `workflow_id` and `version`. Used only for a run that another producer inserted without one, which fails where it is not valid.',
  ),
  input_data: json.optional(),
  timestamp: requiredAsMeant({ type: 'string' }),
});

export const cancellationRequest = z.object({
  message_type: z.literal('cancellation_request'),
  run_id: id,
  cancelled_by: asMeant({ type: ['string', 'null'] }).describe('255 characters of it are kept.'),
  reason: asMeant({ type: ['string', 'null'] }).describe('4,000 characters of it are kept.'),
  cancellation_token: z
    .string()
    .max(255)
    .nullish()
    .describe(
      'Of this run and this `timestamp`, by Stepline itself. Without it only a run that another producer inserted, which has no owner, is cancelled; a wrong one cancels nothing.',
    ),
  timestamp: requiredAsMeant({ type: ['string', 'number'] }).describe(
    'ISO 8601, or the time of Unix. What was asked for before a retry does not end what the retry began.',
  ),
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
  deadline: timestamp.describe(
    'ISO 8601. In an agent’s own topic: when its time is over; after it the attempt is closed, and an answer changes nothing. For a bridge, which keeps the agent’s time itself: when nobody has carried the task out.',
  ),
  result_token: z
    .string()
    .max(255)
    .describe('To be sent back with the answer, which is dead-lettered without it.'),
  timestamp,
});

/** How an attempt failed, as we write it. */
export interface AgentError {
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
  /** The next attempt begins no earlier than so long from now. */
  readonly retry_after_ms?: number | undefined;
}

const agentError = asMeant({
  type: ['object', 'null'],
  properties: {
    code: {
      type: ['string', 'null'],
      description:
        'One line of at most 255 characters, for retry policies and `catch`. Default: AGENT_ERROR.',
    },
    message: { type: ['string', 'null'], description: '4,000 characters of it are kept.' },
    retryable: {
      type: ['boolean', 'null'],
      default: true,
      description: 'Whether the retry policy may call again.',
    },
    retry_after_ms: {
      type: ['number', 'null'],
      minimum: 0,
      maximum: 86_400_000,
      description: 'The next attempt begins no earlier.',
    },
  },
});

export const agentResult = z.object({
  message_type: z.literal('agent_result'),
  run_id: id,
  step_execution_id: id.describe('Names the attempt, with its `result_token`.'),
  attempt: asMeant({ type: ['integer', 'null'] }).describe('For people.'),
  status: requiredAsMeant({ enum: ['completed', 'failed'] }).describe(
    'In whatever case. With another one the attempt has failed: as `error` says, else with AGENT_ANSWER_INVALID.',
  ),
  output_data: json.optional().describe('Of a completed attempt; absent is null.'),
  error: agentError.describe(
    'Of a failed attempt. An odd detail is read as what it can mean, or as absent; a text is the message.',
  ),
  logs: asMeant({ type: ['array', 'null'], items: { type: 'string' } }).describe(
    '100 lines are kept, 2,000 characters of each.',
  ),
  result_token: z
    .string()
    .max(255)
    .describe("The task's. A record without it is a dead letter; with it, it settles the attempt."),
  timestamp: asMeant({ type: ['string', 'null'] }),
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

/** Of an attempt, or of the run itself. */
const transition = z.object({
  sequence: z
    .number()
    .int()
    .describe(
      'One more than of the transition before it of the same run: a reader sees order, repeats and gaps.',
    ),
  status: z.string(),
  step_id: z.string().nullable(),
  scope: z.string().nullish().describe('The branch or item that the step runs in; null at the top.'),
  step_status: z.string().nullable(),
  attempt: z.number().int().nullable(),
  error_message: z.string().nullable(),
});

/** One decision's: what it has led to last, and all of it. */
export const monitoringUpdate = z.object({
  message_type: z.literal('monitoring_update'),
  run_id: id,
  workflow_id: id,
  ...transition.shape,
  transitions: z
    .array(transition)
    .describe('All that one decision has led to, in their order. The last is also told beside them.'),
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

export type ExecutionRequest = Meant<
  typeof executionRequest,
  { readonly workflow_plan: JsonObject; readonly timestamp: string }
>;
export type CancellationRequest = Meant<
  typeof cancellationRequest,
  { readonly cancelled_by: string | null; readonly reason: string | null; readonly timestamp: string }
>;
export type AgentTask = z.infer<typeof agentTask>;
export type AgentResult = Meant<
  typeof agentResult,
  {
    readonly attempt?: number | undefined;
    readonly status: 'completed' | 'failed';
    readonly error?: { readonly [K in keyof AgentError]: AgentError[K] | null } | null | undefined;
    readonly logs?: readonly string[] | null | undefined;
    readonly timestamp?: string | undefined;
  }
>;
export type StepRequest = z.infer<typeof stepRequest>;
export type RetryRequest = z.infer<typeof retryRequest>;
export type Wake = z.infer<typeof wake>;
export type MonitoringUpdate = z.infer<typeof monitoringUpdate>;
export type DeadLetter = z.infer<typeof deadLetter>;

/** A message as it is written; what is read may have anything in the fields that are taken whatever they are. */
type Meant<Schema extends z.ZodType, Fields> = Omit<z.infer<Schema>, keyof Fields> & Fields;

/** What the step-executor consumes, by `message_type`. */
export const executorMessages = {
  execution_request: executionRequest,
  cancellation_request: cancellationRequest,
  agent_result: agentResult,
  step_request: stepRequest,
  retry_request: retryRequest,
  wake,
} as const;
