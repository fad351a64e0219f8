import type { AgentClock, AgentClocks, Clock, Delivery, MessagePublisher, OutgoingMessage } from './ports.ts';

interface AgentClockDeps<Publisher> {
  readonly publisher: Publisher;
  readonly agentClocks: AgentClocks;
  readonly clock: Clock;
}

/**
 * A publisher that keeps the time of agents that read their own topic (design §3, two clocks). It runs from the publication of their
 * task, which says when it is over; here from when that is acknowledged, be it late, so that an answer in that time is never late. A task
 * whose clock cannot be started is not published for certain, so that the outbox keeps it and it comes again: no crash between the two
 * forgets a clock.
 */
export function withAgentClocks<Publisher extends MessagePublisher>({
  publisher,
  agentClocks,
  clock,
}: AgentClockDeps<Publisher>): Publisher {
  const startFor = async (
    messages: readonly OutgoingMessage[],
    deliveries: readonly Delivery[],
  ): Promise<readonly Delivery[]> => {
    const clocks = clocksOf(messages.filter((_, i) => deliveries[i]?.status === 'acknowledged'));
    if (clocks.length === 0) return deliveries;
    try {
      await agentClocks.start(clocks);
      return deliveries;
    } catch (cause) {
      const unknown: Delivery = { status: 'unknown', reason: 'The time of its agent was not started', cause };
      return deliveries.map((delivery, i) =>
        delivery.status === 'acknowledged' && messages[i]?.agentTimeoutMs !== undefined ? unknown : delivery,
      );
    }
  };
  return {
    ...publisher,
    async send(messages: readonly OutgoingMessage[]) {
      const now = clock.now();
      const sent = await publisher.send(messages.map((message) => withDeadline(message, now)));
      const deliveries = await startFor(messages, sent.deliveries);
      return { deliveries, late: sent.late?.then((inTheEnd) => startFor(messages, inTheEnd)) ?? null };
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
