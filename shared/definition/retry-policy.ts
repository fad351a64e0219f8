import * as z from 'zod';
import type { RetryPolicy } from '../engine/plan.ts';
import { compileCodes } from './catch.ts';
import { errorCode } from './step-fields.ts';

const MAX_INTERVAL_MS = 86_400_000;

const retryPolicy = z.strictObject({
  max_attempts: z.int().min(1).max(100).default(3).describe('The first call counts.'),
  initial_interval_ms: z
    .int()
    .min(0)
    .max(MAX_INTERVAL_MS)
    .default(1_000)
    .describe('Before the second attempt.'),
  backoff_rate: z
    .number()
    .min(1)
    .max(100)
    .default(2)
    .describe('What each interval is multiplied by for the next.'),
  max_interval_ms: z.int().min(0).max(MAX_INTERVAL_MS).default(60_000).describe('No interval is longer.'),
  jitter: z
    .enum(['full', 'none'])
    .default('full')
    .describe('`full` draws evenly between 0 and the interval.'),
  codes: z
    .array(errorCode)
    .min(1)
    .optional()
    .describe('The error codes it is for; absent, or with `ALL`: every one.'),
});

/** Of a list: an attempt keeps a count for each. */
const MAX_POLICIES = 100;

export const retry = z.union([retryPolicy, z.array(retryPolicy).max(MAX_POLICIES)], {
  error: 'expected a retry policy, or a list of them',
});

export type RetryDefinition = z.infer<typeof retry>;

/** `retry` of a step. */
export const retryField = retry
  .optional()
  .describe(
    'A policy, or a list of which the first that is for the error grants the next attempt, each counting for itself; `[]`: never.',
  );

export function compileRetry(definition: RetryDefinition): RetryPolicy[] {
  return (Array.isArray(definition) ? definition : [definition]).map((policy) => ({
    maxAttempts: policy.max_attempts,
    initialIntervalMs: policy.initial_interval_ms,
    backoffRate: policy.backoff_rate,
    maxIntervalMs: policy.max_interval_ms,
    jitter: policy.jitter,
    codes: compileCodes(policy.codes),
  }));
}
