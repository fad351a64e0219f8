import type { AgentClock, AgentClocks } from './ports/agents.ts';
import type { Clock, Delivery, MessagePublisher, OutgoingMessage } from './ports/publishing.ts';

interface AgentClockDeps<Publisher> {
  readonly publisher: Publisher;
  readonly agentClocks: AgentClocks;
  readonly clock: Clock;
}

/**
 * A publisher that keeps the time of agents that read their own topic (design §3, two clocks). It runs from the publication of their
 * task, which says when it is over; here from when that is acknowledged, so that an answer in that time is never late. A task whose
 * clock cannot be started is not known to be published, so that the outbox keeps it and it comes again: no crash between the two forgets
 * a clock.
 */
export function withAgentClocks<Publisher extends MessagePublisher>({
  publisher,
  agentClocks,
  clock,
}: AgentClockDeps<Publisher>): Publisher {
  /** @param before what was known already, whose clocks run */
  const started = async (
    messages: readonly OutgoingMessage[],
    deliveries: readonly Delivery[],
    before: readonly Delivery[] = [],
  ): Promise<readonly Delivery[]> => {
    const isNew = (i: number) => isAcknowledged(deliveries[i]) && !isAcknowledged(before[i]);
    const clocks = clocksOf(messages.filter((_, i) => isNew(i)));
    if (clocks.length === 0) return deliveries;
    try {
      await agentClocks.start(clocks);
      return deliveries;
    } catch (cause) {
      const reason = 'The time of its agent could not be started';
      const hasClock = ({ agentTimeoutMs }: OutgoingMessage) => agentTimeoutMs !== undefined;
      return deliveries.map((delivery, i) =>
        isNew(i) && hasClock(messages[i] as OutgoingMessage)
          ? { status: 'unknown', reason, cause }
          : delivery,
      );
    }
  };
  return {
    ...publisher,
    async send(messages: readonly OutgoingMessage[]) {
      const now = clock.now();
      const { deliveries, late } = await publisher.send(
        messages.map((message) => withDeadline(message, now)),
      );
      return {
        deliveries: await started(messages, deliveries),
        late: late?.then((inTheEnd) => started(messages, inTheEnd, deliveries)) ?? null,
      };
    },
  };
}

function isAcknowledged(delivery: Delivery | undefined): boolean {
  return delivery?.status === 'acknowledged';
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
