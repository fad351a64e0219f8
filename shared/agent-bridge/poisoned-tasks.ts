import { failedCall } from '../agents/call-outcome.ts';
import { apart, classOf } from '../application/error-policy.ts';
import type { AgentTask } from '../messages/messages.ts';
import type { AttemptCall } from '../persistence/agent-calls.ts';
import type { Outbound } from './outbound.ts';
import type { AgentBridgePorts } from './ports.ts';

/*
 * One task that cannot be carried out for a reason of its own fails its attempt, and the others of its batch are carried out
 * (shared/application/error-policy.ts).
 */

/** @returns null, for what is not done. @throws what is transient: the batch comes again */
export function giveUpTask(
  task: AgentTask,
  error: unknown,
  {
    outbound,
    warn,
  }: { readonly outbound: Pick<Outbound, 'answer'>; readonly warn: AgentBridgePorts['warn'] },
): null {
  if (classOf(error) === 'transient') throw error;
  const { run_id, step_execution_id } = task;
  warn('A task met a defect', { run_id, step_execution_id, error: (error as Error)?.message });
  const message =
    'A mistake in Stepline kept the agent from being called. The log has more about it, by the run_id.';
  outbound.answer(task, failedCall('INTERNAL_ERROR', message, { retryable: false }));
  return null;
}

/**
 * The attempts of tasks, in one statement where all goes well. Those whose rows cannot be read are given up and left out.
 * @throws what is transient
 */
export function loadCallsApart(
  tasks: readonly AgentTask[],
  { loadCalls }: Pick<AgentBridgePorts, 'loadCalls'>,
  giveUp: (task: AgentTask, error: unknown) => null,
): Promise<(readonly [AgentTask, AttemptCall | undefined])[]> {
  return apart(
    tasks,
    async (some) => {
      const calls = await loadCalls(some.map(({ step_execution_id: id }) => id));
      return some.map((task) => [task, calls.get(task.step_execution_id)] as const);
    },
    (task, _fault, error) => {
      // A row is found by its key: it is the database that is slow. What is transient, is thrown.
      giveUp(task, error);
      return [];
    },
  );
}
