import { expect, it } from 'vitest';
import { withAgentClocks } from '../../../shared/application/agent-clocks.ts';
import type { AgentClock, OutgoingMessage } from '../../../shared/application/ports.ts';

const T0 = Date.parse('2026-01-15T10:30:00.000Z');

function taskOf(id: string, agentTimeoutMs?: number): OutgoingMessage {
  const value = { run_id: 'r1', step_execution_id: id, deadline: '2026-01-15T11:31:00.000Z' };
  return { topic: 'agent.x', key: id, value, ...(agentTimeoutMs !== undefined && { agentTimeoutMs }) };
}

/** What happened, in order. */
function setUp({ isAway = false, isStuck = false } = {}) {
  const happened: (readonly [what: string, ...details: unknown[]])[] = [];
  const publisher = withAgentClocks({
    publisher: {
      async publish(messages: readonly OutgoingMessage[]) {
        if (isAway) throw new Error('Kafka did not answer within 1000 ms');
        happened.push(['published', ...messages.map(({ value }) => value.deadline)]);
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

it('says in a task for its agent’s topic when the agent’s time is over, and starts it when the task is there', async () => {
  const { happened, publisher } = setUp();
  await publisher.publish([taskOf('a', 2_000), taskOf('bridged'), taskOf('b', 60_000), taskOf('a', 2_000)]);
  expect(happened).toEqual([
    [
      'published',
      '2026-01-15T10:30:02.000Z',
      '2026-01-15T11:31:00.000Z',
      '2026-01-15T10:31:00.000Z',
      '2026-01-15T10:30:02.000Z',
    ],
    [
      'started',
      { runId: 'r1', stepExecutionId: 'a', timeoutMs: 2_000 },
      { runId: 'r1', stepExecutionId: 'b', timeoutMs: 60_000 },
    ],
  ]);
});

it('starts none where nothing goes to an agent itself', async () => {
  const { happened, publisher } = setUp();
  await publisher.publish([taskOf('bridged')]);
  expect(happened.map(([what]) => what)).toEqual(['published']);
});

it('starts none while the task waits for the broker', async () => {
  const { happened, publisher } = setUp({ isAway: true });
  await expect(publisher.publish([taskOf('a', 2_000)])).rejects.toThrow('Kafka did not answer');
  expect(happened).toEqual([]);
});

it('has not published what it could start no time of: the outbox keeps it', async () => {
  const { publisher } = setUp({ isStuck: true });
  await expect(publisher.publish([taskOf('a', 2_000)])).rejects.toThrow('The database is away');
});
