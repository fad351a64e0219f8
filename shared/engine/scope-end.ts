import type { Json } from './json.ts';
import { jsonBytes } from './json-size.ts';
import type { PlanStep } from './plan.ts';
import { childOf } from './scope-path.ts';
import type { Child, Failure, Join } from './state.ts';

/*
 * What the end of a branch or item is to its join, by the counters alone: however many there are, it costs the same.
 *
 *   so many completed as it needs           --> over
 *   one more failed than it tolerates       --> over, failed as that one | TOLERATED_FAILURES_EXCEEDED where all are needed and
 *                                               some may fail: of a map
 *   its outputs are too large together      --> over, failed: DATA_LIMIT
 *   all ended                               --> over
 *   it was over before                      --> counted, and nothing else
 */

export type ScopeEnd =
  | { readonly status: 'COMPLETED'; readonly output: Json }
  | { readonly status: 'FAILED'; readonly failure: Failure };

/** A branch or item that is under way, where its row is not loaded. */
export function begunChild(container: PlanStep, scope: string): Child {
  const child = childOf(scope);
  const index =
    container.type === 'parallel'
      ? container.branches.findIndex(({ name }) => name === child)
      : Number(child);
  return { scope, index, status: 'PENDING', nextWaiting: null, input: null, output: null, error: null };
}

export function ended(child: Child, end: ScopeEnd): Child {
  return end.status === 'COMPLETED'
    ? { ...child, status: 'COMPLETED', output: end.output }
    : { ...child, status: 'FAILED', error: end.failure };
}

export function countEnd(join: Join, end: ScopeEnd, maxPayloadBytes: number): Join {
  const counted =
    end.status === 'COMPLETED'
      ? { ...join, completed: join.completed + 1, outputBytes: join.outputBytes + jsonBytes(end.output) }
      : { ...join, failed: join.failed + 1 };
  if (join.isOver) return counted;
  const failure = failureOf(counted, end, maxPayloadBytes);
  const isOver =
    failure !== null ||
    counted.completed >= counted.needed ||
    counted.completed + counted.failed === counted.total;
  return { ...counted, failure, isOver };
}

function failureOf(join: Join, end: ScopeEnd, maxPayloadBytes: number): Failure | null {
  if (join.outputBytes > maxPayloadBytes) {
    const message = `The outputs inside ${join.path} are larger than the limit of ${maxPayloadBytes} bytes of JSON: ${join.outputBytes}`;
    return { code: 'DATA_LIMIT', message };
  }
  if (end.status === 'COMPLETED' || join.failed <= join.tolerated) return null;
  // Of those that need not complete none was forgiven: with this one, too few are left.
  if (join.needed + join.tolerated <= join.total) return end.failure;
  const message = `${join.failed} failed, ${join.tolerated} are tolerated; the last: ${end.failure.code}: ${end.failure.message}`;
  return { code: 'TOLERATED_FAILURES_EXCEEDED', message };
}
