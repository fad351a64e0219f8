import type { Database } from '../../shared/persistence/database.ts';
import { findRunsUnlikeTheirWorkflows } from '../../shared/persistence/runs-unlike-their-workflows.ts';
import type { FireDueTimesDeps } from './fire-due-times.ts';
import { wakeRecord } from './fire-due-times.ts';

export interface WakeUnlikeWorkflowsDeps extends Pick<FireDueTimesDeps, 'producer' | 'topics'> {
  readonly database: Database;
}

/** In a minute: what they mean is decided by the executors, which must not fall behind for it. */
const MOST = 5_000;
const AT_ONCE = 500;

/**
 * Wakes runs that are not held as their workflow is: they are then (I7). Once in an invocation: what was woken a moment ago may not
 * have been decided yet.
 * @throws PublishError when they could not be published: they are found again
 */
export async function wakeUnlikeWorkflows({
  database,
  producer,
  topics,
}: WakeUnlikeWorkflowsDeps): Promise<number> {
  const runIds = await findRunsUnlikeTheirWorkflows(database, { limit: MOST });
  if (runIds.length === 0) return 0;
  const { now } = await database.one<{ now: Date }>('select now() as now');
  for (let start = 0; start < runIds.length; start += AT_ONCE) {
    const wakes = runIds.slice(start, start + AT_ONCE);
    await producer.publish(
      wakes.map((runId) => wakeRecord({ runId, stepExecutionId: null, firedAt: now }, topics.stepRequests)),
    );
  }
  return runIds.length;
}
