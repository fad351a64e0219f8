import * as z from 'zod';
import { shownAs } from '../../../shared/documents/json-schema.ts';
import type { Json } from '../../../shared/engine/json.ts';

/* Pieces of what the API answers with. Their examples make up those of the documents. */

export const uuid = shownAs(z.guid(), { type: 'string', format: 'uuid' }).meta({
  examples: ['550e8400-e29b-41d4-a716-446655440000'],
});

/** The same uuid is the execution's id. */
export const runId = z.string().meta({ examples: ['run-550e8400-e29b-41d4-a716-446655440000'] });

export const timestamp = shownAs(z.iso.datetime(), { type: 'string', format: 'date-time' }).meta({
  examples: ['2025-12-09T12:00:00.000Z'],
});

/** Any JSON. */
export const json = z
  .custom<Json>((value) => value !== undefined)
  .meta({ examples: [{ message: 'Hello, World!' }] });

export const jsonRecord = z.record(z.string(), json).meta({ examples: [{ message: 'Hello, World!' }] });

export const textOrNull = z
  .string()
  .nullable()
  .meta({ examples: [null] });

/** Whole, 0 or more. */
export const count = z
  .int()
  .min(0)
  .meta({ examples: [3] });
export const seconds = z.number().meta({ examples: [1.5] });

export const runStatus = z
  .enum(['PENDING', 'RUNNING', 'PAUSED', 'COMPLETED', 'FAILED', 'CANCELLED'])
  .meta({ id: 'RunStatus', examples: ['COMPLETED'] });

export const stepStatus = z
  .enum(['PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED'])
  .meta({ id: 'StepStatus', examples: ['COMPLETED'] });

/** Of an attempt, on the faces whose statuses are lowercase. */
export const attemptStatus = z
  .enum(['pending', 'running', 'completed', 'failed', 'cancelled'])
  .meta({ examples: ['completed'] });

export const executionStatus = z
  .enum(['pending', 'running', 'paused', 'completed', 'failed', 'cancelled'])
  .meta({ id: 'ExecutionStatus', examples: ['completed'] });
