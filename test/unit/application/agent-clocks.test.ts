import { expect, it } from 'vitest';
import { withAgentClocks } from '../../../shared/application/agent-clocks.ts';
import type { AgentClock, Delivery, OutgoingMessage, Publishing } from '../../../shared/application/ports.ts';

const T0 = Date.parse('2026-01-15T10:30:00.000Z');

function taskOf(id: string, agentTimeoutMs?: number): OutgoingMessage {
  const value = { run_id: 'r1', step_execution_id: id, deadline: '2026-01-15T11:31:00.000Z' };
  return { topic: 'agent.x', key: id, value, ...(agentTimeoutMs !== undefined && { agentTimeoutMs }) };
}

const ACKNOWLEDGED: Delivery = { status: 'acknowledged' };
const UNSENT: Delivery = { status: 'unsent', reason: 'Kafka was not reached' };
const UNKNOWN: Delivery = { status: 'unknown', reason: 'Kafka did not answer' };

/** What happened, in order. Deliveries are by a message's key; others are acknowledged. */
function setUp(
  fates: Record<string, Delivery> = {},
  { isStuck = false, late = null as Publishing['late'] } = {},
) {
  const happened: (readonly [what: string, ...details: unknown[]])[] = [];
  const publisher = withAgentClocks({
    publisher: {
      async send(messages: readonly OutgoingMessage[]) {
        happened.push(['published', ...messages.map(({ value }) => value.deadline)]);
        return { deliveries: messages.map(({ key }) => fates[key] ?? ACKNOWLEDGED), late };
      },
    },
    agentClocks: {
      async start(clocks: readonly AgentClock[]) {
        if (isStuck) throw new Error('The database is away');
        happened.push(['started', ...clocks]);
      },
    },
    clock: { now: () => T0 },
  });
  return { happened, publisher };
}

const clockOf = (stepExecutionId: string, timeoutMs: number) => ({ runId: 'r1', stepExecutionId, timeoutMs });

it('says in a task for its agent’s topic when the agent’s time is over, and starts it when the task is there', async () => {
  const { happened, publisher } = setUp();
  const { deliveries, late } = await publisher.send([
    taskOf('a', 2_000),
    taskOf('bridged'),
    taskOf('b', 60_000),
    taskOf('a', 2_000),
  ]);
  expect(deliveries).toEqual([ACKNOWLEDGED, ACKNOWLEDGED, ACKNOWLEDGED, ACKNOWLEDGED]);
  expect(late).toBeNull();
  expect(happened).toEqual([
    [
      'published',
      '2026-01-15T10:30:02.000Z',
      '2026-01-15T11:31:00.000Z',
      '2026-01-15T10:31:00.000Z',
      '2026-01-15T10:30:02.000Z',
    ],
    ['started', clockOf('a', 2_000), clockOf('b', 60_000)],
  ]);
});

it('starts none where nothing goes to an agent itself', async () => {
  const { happened, publisher } = setUp();
  await publisher.send([taskOf('bridged')]);
  expect(happened.map(([what]) => what)).toEqual(['published']);
});

it('starts none of a task that is not there, and those of its neighbours', async () => {
  const { happened, publisher } = setUp({ a: UNSENT, c: UNKNOWN });
  const { deliveries } = await publisher.send([taskOf('a', 2_000), taskOf('b', 3_000), taskOf('c', 4_000)]);
  expect(deliveries).toEqual([UNSENT, ACKNOWLEDGED, UNKNOWN]);
  expect(happened[1]).toEqual(['started', clockOf('b', 3_000)]);
  expect(happened).toHaveLength(2);
});

it('starts the time of a task that turns out late to be there', async () => {
  const { happened, publisher } = setUp({ a: UNKNOWN }, { late: Promise.resolve([ACKNOWLEDGED]) });
  const { late } = await publisher.send([taskOf('a', 2_000)]);
  expect(await late).toEqual([ACKNOWLEDGED]);
  expect(happened[1]).toEqual(['started', clockOf('a', 2_000)]);
});

it('does not know to be published what it could start no time of: the outbox keeps it, and it comes again', async () => {
  const { publisher } = setUp({}, { isStuck: true, late: Promise.resolve([ACKNOWLEDGED, ACKNOWLEDGED]) });
  const { deliveries, late } = await publisher.send([taskOf('a', 2_000), taskOf('bridged')]);
  const unknown = {
    status: 'unknown',
    reason: 'The time of its agent was not started',
    cause: expect.any(Error),
  };
  expect(deliveries).toEqual([unknown, ACKNOWLEDGED]);
  expect(await late).toEqual([unknown, ACKNOWLEDGED]);
});
