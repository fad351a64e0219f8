import { apart } from '../application/error-policy.ts';
import type { AgentTask } from '../messages/messages.ts';
import type { DeadlineExtension } from '../persistence/agent-calls.ts';
import type { AgentBridgePorts } from './ports.ts';

interface Handable {
  readonly task: AgentTask;
  readonly timeoutMs: number;
}

type HandOverPorts = Pick<AgentBridgePorts, 'extendDeadlines' | 'warn'> & {
  readonly invokeSelf: NonNullable<AgentBridgePorts['invokeSelf']>;
};

/** An asynchronous invocation's payload is at most 1 MB; the rest is its envelope. */
const MAX_PAYLOAD_BYTES = 1_000_000;
/** Calls of one invocation run side by side and publish as each is answered, so a slow one only makes the invocation longer. */
const MAX_TASKS = 32;
/** Beyond the step's timeout: the time until the invocation begins. After it the wake publishes the task once more. */
const GRACE_MS = 60_000;

/**
 * Hands tasks to asynchronous invocations of the bridge itself, which are not repeated when they fail: each attempt's wake is
 * brought forward first, so that it repairs what is lost.
 * @returns the tasks that could not be handed over.
 */
export async function handOver<Task extends Handable>(
  tasks: readonly Task[],
  ports: HandOverPorts,
): Promise<Task[]> {
  if (tasks.length === 0) return [];
  const refused: Task[] = [];
  const extended = await apart(
    tasks,
    async (some) => {
      await ports.extendDeadlines(some.map(extensionOf));
      return some;
    },
    (task, { reason: error }) => {
      ports.warn('Could not bring a wake forward, calling the agent here', {
        run_id: task.task.run_id,
        step_execution_id: task.task.step_execution_id,
        error,
      });
      refused.push(task);
      return [];
    },
  );
  if (extended.length === 0) return refused;
  const kept = await Promise.all(
    chunksOf(extended).map(async (chunk) => {
      try {
        await ports.invokeSelf({ handed_tasks: chunk.map(({ task }) => task) });
        return [];
      } catch (error) {
        ports.warn('Could not hand tasks to another invocation, calling their agents here', {
          tasks: chunk.length,
          error: (error as Error).message,
        });
        return chunk;
      }
    }),
  );
  return [...refused, ...kept.flat()];
}

function extensionOf({ task, timeoutMs }: Handable): DeadlineExtension {
  return {
    stepExecutionId: task.step_execution_id,
    runId: task.run_id,
    deadlineInMs: timeoutMs + GRACE_MS,
    accepted: false,
  };
}

function chunksOf<Task extends Handable>(tasks: readonly Task[]): Task[][] {
  const chunks: Task[][] = [];
  let chunk: Task[] = [];
  let bytes = 0;
  for (const task of tasks) {
    const size = Buffer.byteLength(JSON.stringify(task.task)) + 1;
    if (chunk.length > 0 && (chunk.length === MAX_TASKS || bytes + size > MAX_PAYLOAD_BYTES)) {
      chunks.push(chunk);
      chunk = [];
      bytes = 0;
    }
    chunk.push(task);
    bytes += size;
  }
  chunks.push(chunk);
  return chunks;
}
