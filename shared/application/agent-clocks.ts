import type { AgentClock, AgentClocks, Clock, MessagePublisher, OutgoingMessage } from './ports.ts';

interface AgentClockDeps<Publisher> {
  readonly publisher: Publisher;
  readonly agentClocks: AgentClocks;
  readonly clock: Clock;
}

/**
 * A publisher that keeps the time of agents that read their own topic (design §3, two clocks). It runs from the publication of their
 * task, which says when it is over; here from when that is acknowledged, so that an answer in that time is never late. What cannot be
 * started fails the publication, so that the outbox keeps the task and it comes again: no crash between the two forgets a clock.
 */
export function withAgentClocks<Publisher extends MessagePublisher>({
  publisher,
  agentClocks,
  clock,
}: AgentClockDeps<Publisher>): Publisher {
  return {
    ...publisher,
    async publish(messages: readonly OutgoingMessage[]) {
      const now = clock.now();
      await publisher.publish(messages.map((message) => withDeadline(message, now)));
      const clocks = clocksOf(messages);
      if (clocks.length > 0) await agentClocks.start(clocks);
    },
  };
}

function withDeadline(message: OutgoingMessage, now: number): OutgoingMessage {
  const { agentTimeoutMs } = message;
  if (agentTimeoutMs === undefined) return message;
  return {
    ...message,
    value: { ...message.value, deadline: new Date(now + agentTimeoutMs).toISOString() },
  };
}

/** Each attempt's once. */
function clocksOf(messages: readonly OutgoingMessage[]): AgentClock[] {
  const clocks = new Map<string, AgentClock>();
  for (const { agentTimeoutMs, value } of messages) {
    if (agentTimeoutMs === undefined) continue;
    const { run_id: runId, step_execution_id: stepExecutionId } = value as Record<string, string>;
    if (runId === undefined || stepExecutionId === undefined) continue;
    clocks.set(stepExecutionId, { runId, stepExecutionId, timeoutMs: agentTimeoutMs });
  }
  return [...clocks.values()];
}
