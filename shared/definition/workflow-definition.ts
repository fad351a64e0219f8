import { z } from 'zod';
import { limits } from '../config/limits.ts';
import type { Json, JsonObject } from '../engine/json.ts';

/*
 * The sources' step format (api-executor-integration): `start_step`, and `steps` by id with `agent_name`, `next_step` and
 * `input_mapping`. One front end of the engine's plan.
 */

const RESERVED_IDS = ['workflow_input', 'variables'];
const MAX_INTERVAL_MS = 86_400_000;
const MAX_TIMEOUT_SECONDS = 31_536_000;

const name = z
  .string({ error: 'expected text' })
  .min(1, 'expected at least one character')
  .max(limits.maxNameLength, `expected at most ${limits.maxNameLength} characters`)
  .regex(/^[^\p{C}]*$/u, 'expected no control characters')
  .refine((text) => text.trim() === text, 'expected no space at either end');

const json = z.custom<Json>((value) => value !== undefined, 'expected JSON');

const retryPolicy = z.strictObject({
  max_attempts: z.int().min(1).max(100).default(3).describe('The first call counts.'),
  initial_interval_ms: z.int().min(0).max(MAX_INTERVAL_MS).default(1_000),
  backoff_rate: z
    .number()
    .min(1)
    .max(100)
    .default(2)
    .describe('Each interval is so many times the one before it.'),
  max_interval_ms: z.int().min(0).max(MAX_INTERVAL_MS).default(60_000),
  jitter: z.enum(['full', 'none']).default('full'),
  codes: z
    .array(z.string().min(1).max(255))
    .min(1)
    .optional()
    .describe('The error codes it is for; absent: all.'),
});

export const retry = z.union([retryPolicy, z.array(retryPolicy)], {
  error: 'expected a retry policy, or a list of them',
});

const step = z.strictObject({
  id: name.optional().describe("The step's key, if given."),
  name: name.optional().describe('For people; default: the id.'),
  description: z.string().max(4_000).optional(),
  type: z.literal('agent', { error: 'expected "agent"' }).optional(),
  step_type: name.optional().describe('A label for logs; default: the type.'),
  agent_name: name.describe('Who does it.'),
  next_step: name.nullish().describe('The step after this one; null at the end.'),
  input_mapping: z
    .record(z.string(), json, { error: 'expected an object' })
    .optional()
    .describe("What the agent gets; a string that starts `$.` or `$[` is a JSONPath over the run's data."),
  retry: retry.optional().describe("When it is called again; `[]` is never. Default: the workflow's."),
  timeout_seconds: z
    .number()
    .positive()
    .max(MAX_TIMEOUT_SECONDS)
    .optional()
    .describe("How long the agent may take from the moment it is called. Default: the agent's, else 60."),
});

export const workflowDefinition = z.strictObject({
  name: name.describe('Unique per owner; the same name again adds a version.'),
  description: z.string({ error: 'expected text' }).max(4_000, 'expected at most 4000 characters').nullish(),
  start_step: name.describe('The id of the first step.'),
  steps: z
    .record(
      name
        .refine((id) => !RESERVED_IDS.includes(id), `expected another id than ${RESERVED_IDS.join(' or ')}`)
        .meta({ not: { enum: RESERVED_IDS } }),
      step,
      { error: 'expected an object of steps by id' },
    )
    // Their number is checked before anything else is read (`parse-definition.ts`).
    .meta({ minProperties: 1, maxProperties: limits.maxStepsPerDefinition })
    .describe('By id.'),
  retry: retry.optional().describe('For steps that have none of their own.'),
});

/** A step as it is stored and shown: `normalise` has filled in what may be left out. */
export const storedStep = step
  .required({ id: true, next_step: true, input_mapping: true })
  .meta({ id: 'StepDefinition' });

type ParsedDefinition = z.infer<typeof workflowDefinition>;

/** As stored and sent: every step carries its `id`, `next_step` and `input_mapping`. */
export interface WorkflowDefinition {
  readonly name: string;
  readonly description: string | null;
  readonly start_step: string;
  readonly steps: Readonly<Record<string, StepDefinition>>;
  readonly retry?: RetryDefinition;
}

export type StepDefinition = Omit<
  ParsedDefinition['steps'][string],
  'id' | 'next_step' | 'input_mapping' | 'retry'
> & {
  readonly id: string;
  readonly next_step: string | null;
  readonly input_mapping: JsonObject;
  readonly retry?: RetryDefinition;
};

export type RetryDefinition = z.infer<typeof retry>;

export function normalise({
  name,
  description,
  start_step,
  steps,
  retry,
}: ParsedDefinition): WorkflowDefinition {
  const entries = Object.entries(steps).map(([id, { next_step, input_mapping, retry, ...step }]) => [
    id,
    {
      ...step,
      id,
      next_step: next_step ?? null,
      input_mapping: input_mapping ?? {},
      ...(retry && { retry }),
    },
  ]);
  return {
    name,
    description: description ?? null,
    start_step,
    steps: Object.fromEntries(entries),
    ...(retry && { retry }),
  };
}
