import type { InvocationResult } from '../invocation.ts';

/** How much of a batch is behind us: everything before `done` is; the rest, if any, has to be given again. */
export interface BatchOutcome {
  done: number;
  /** The invocation failed, or answered in a way that says nothing about single records. */
  asAWhole: boolean;
}

/**
 * What a function's answer says about its batch, by the rules of `ReportBatchItemFailures`: the lowest offset that is named
 * is where the batch resumes; no answer, or an empty list, is success; an identifier that is not in the batch voids the
 * answer, and the whole batch comes again.
 */
export function batchOutcome(
  result: InvocationResult,
  topicPartition: string,
  offsets: readonly number[],
  reportBatchItemFailures: boolean,
): BatchOutcome {
  if (!result.ok) return { done: 0, asAWhole: true };
  const everything = { done: offsets.length, asAWhole: false };
  if (!reportBatchItemFailures) return everything;
  const failures = field(result.payload, 'batchItemFailures');
  if (failures === undefined || failures === null) return everything;
  if (!Array.isArray(failures)) return { done: 0, asAWhole: true };

  let done = offsets.length;
  for (const failure of failures) {
    const identifier = field(failure, 'itemIdentifier');
    const offset = field(identifier, 'offset');
    const position = typeof offset === 'number' ? offsets.indexOf(offset) : -1;
    if (field(identifier, 'partition') !== topicPartition || position === -1)
      return { done: 0, asAWhole: true };
    done = Math.min(done, position);
  }
  return { done, asAWhole: false };
}

function field(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  return (value as Record<string, unknown>)[name];
}
