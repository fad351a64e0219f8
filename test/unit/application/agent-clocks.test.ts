import { expect, it } from 'vitest';
import { withAgentClocks } from '../../../shared/application/agent-clocks.ts';
import type { AgentClock } from '../../../shared/application/ports/agents.ts';
import type { Delivery, OutgoingMessage } from '../../../shared/application/ports/publishing.ts';

const T0 = Date.parse('2026-01-15T10:30:00.000Z');
const ACKNOWLEDGED: Delivery = { status: 'acknowledged' };
const UNKNOWN: Delivery = { status: 'unknown', reason: 'Kafka did not answer within 1000 ms' };

function taskOf(id: string, agentTimeoutMs?: number): OutgoingMessage {
  const value = { run_id: 'r1', step_execution_id: id, deadline: '2026-01-15T11:31:00.000Z' };
  return { topic: 'agent.x', key: id, value, ...(agentTimeoutMs !== undefined && { agentTimeoutMs }) };
}

/**
 * What happened, in order.
 * @param deliveries of the messages; where they are fewer, the rest is acknowledged
 */
function setUp({
  deliveries = [],
  late = null,
  isStuck = false,
}: {
  deliveries?: readonly Delivery[];
  late?: readonly Delivery[] | null;
  isStuck?: boolean;
} = {}) {
  const happened: (readonly [what: string, ...details: unknown[]])[] = [];
  const publisher = withAgentClocks({
    publisher: {
      async send(messages: readonly OutgoingMessage[]) {
        happened.push(['sent', ...messages.map(({ value }) => value.deadline)]);
        return {
          deliveries: messages.map((_, i) => deliveries[i] ?? ACKNOWLEDGED),
          late: late && Promise.resolve(late),
        };
      },
    },
    agentClocks: {
      async start(clocks: readonly AgentClock[]) {
        if (isStuck) throw new Error('The database is away');
        happened.push([
          'started',
          ...clocks.map(({ stepExecutionId, timeoutMs }) => [stepExecutionId, timeoutMs]),
        ]);
      },
    },
    clock: { now: () => T0 },
  });
  return { happened, publisher };
}

it('says in a task for its agent’s topic when the agent’s time is over, and starts it when the task is there', async () => {
  const { happened, publisher } = setUp();
  await publisher.send([taskOf('a', 2_000), taskOf('bridged'), taskOf('b', 60_000), taskOf('a', 2_000)]);
  expect(happened).toEqual([
    [
      'sent',
      '2026-01-15T10:30:02.000Z',
      '2026-01-15T11:31:00.000Z',
      '2026-01-15T10:31:00.000Z',
      '2026-01-15T10:30:02.000Z',
    ],
    ['started', ['a', 2_000], ['b', 60_000]],
  ]);
});

it('starts none where nothing goes to an agent itself', async () => {
  const { happened, publisher } = setUp();
  await publisher.send([taskOf('bridged')]);
  expect(happened.map(([what]) => what)).toEqual(['sent']);
});

it('starts none of a task that Kafka has not answered for, until it does', async () => {
  const { happened, publisher } = setUp({
    deliveries: [UNKNOWN, ACKNOWLEDGED, UNKNOWN],
    late: [ACKNOWLEDGED, ACKNOWLEDGED, UNKNOWN],
  });
  const sent = await publisher.send([taskOf('a', 2_000), taskOf('b', 3_000), taskOf('c', 4_000)]);
  expect(sent.deliveries).toEqual([UNKNOWN, ACKNOWLEDGED, UNKNOWN]);
  expect(await sent.late).toEqual([ACKNOWLEDGED, ACKNOWLEDGED, UNKNOWN]);
  expect(happened.slice(1)).toEqual([
    ['started', ['b', 3_000]],
    ['started', ['a', 2_000]],
  ]);
});

it('does not know what it could start no time of to be published: the outbox keeps it', async () => {
  const { publisher } = setUp({ isStuck: true });
  const { deliveries } = await publisher.send([taskOf('a', 2_000), taskOf('bridged')]);
  expect(deliveries).toMatchObject([{ status: 'unknown' }, { status: 'acknowledged' }]);
});
