import { limits } from '../config/limits.ts';
import type { AgentResult, AgentTask } from '../messages/messages.ts';
import type { OutgoingMessage } from './ports/publishing.ts';

/** So long a task waits for its agent's topic: whoever registers an agent makes the topic meanwhile. */
const TOPIC_AWAITED_MS = 30_000;

/** @param refusedForMs see `ClaimedEntry` */
export function isGivenUp(refusedForMs: number | null): boolean {
  return msUntilGivenUp(refusedForMs) === 0;
}

export function msUntilGivenUp(refusedForMs: number | null): number {
  return Math.max(0, TOPIC_AWAITED_MS - (refusedForMs ?? 0));
}

/** The task that a message is; null: another kind of message. */
export function taskIn({ value }: OutgoingMessage): AgentTask | null {
  return value.message_type === 'agent_task' ? (value as unknown as AgentTask) : null;
}

/** What the attempt says while its task waits. @param code Kafka's */
export function whyItWaits(task: AgentTask, topic: string, code: string): string {
  return textOf(`The task is not published yet and will be: ${refusal(task, topic, code)}`);
}

/** The answer that the agent cannot give: no further attempt would fare better. @param code Kafka's */
export function answerForAgent(
  task: AgentTask,
  { topic, code, resultsTopic, now }: { topic: string; code: string; resultsTopic: string; now: number },
): OutgoingMessage {
  const isMissing = code === 'UNKNOWN_TOPIC_OR_PARTITION';
  const value = {
    message_type: 'agent_result',
    run_id: task.run_id,
    step_execution_id: task.step_execution_id,
    attempt: task.attempt,
    status: 'failed',
    error: {
      code: isMissing ? 'AGENT_TOPIC_NOT_FOUND' : 'AGENT_TOPIC_REFUSED',
      message: textOf(`${refusal(task, topic, code)}. It was waited for ${TOPIC_AWAITED_MS / 1_000} s.`),
      retryable: false,
    },
    result_token: task.result_token,
    timestamp: new Date(now).toISOString(),
  } satisfies AgentResult;
  return { topic: resultsTopic, key: task.run_id, value };
}

function refusal({ agent_name }: AgentTask, topic: string, code: string): string {
  return code === 'UNKNOWN_TOPIC_OR_PARTITION'
    ? `the topic "${topic}", from which agent "${agent_name}" takes its tasks, does not exist`
    : `the topic "${topic}", from which agent "${agent_name}" takes its tasks, refuses this one with ${code}`;
}

function textOf(text: string): string {
  return (text[0]!.toUpperCase() + text.slice(1)).slice(0, limits.maxErrorMessageLength);
}
