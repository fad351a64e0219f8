import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { BatchItem, Outcome } from '../../../shared/application/batch.ts';
import { type Called, CarryOut } from '../../../shared/application/carry-out.ts';
import { type AgentRoute, agentKey } from '../../../shared/application/ports/agents.ts';
import type {
  Delivery,
  OutboxEntry,
  OutgoingMessage,
  Settlement,
} from '../../../shared/application/ports/publishing.ts';
import { createRouteTasks } from '../../../shared/application/route-tasks.ts';
import { topicsFor } from '../../../shared/config/topics.ts';
import type { AgentResult } from '../../../shared/messages/messages.ts';

const topics = topicsFor({ prefix: '', executionTopic: 'executions', cancellationTopic: 'cancellations' });
const PATIENCE_MS = 500;
const TOLD_BY_ITSELF_MS = 20;
const decided: Outcome = { outcome: 'decided', status: 'RUNNING' };

/** A task of the run of its agent's name. */
const task = (name: string, stepsPerInvocation?: number): OutgoingMessage => ({
  topic: topics.httpTasks,
  key: `a-${name}`,
  value: { message_type: 'agent_task', run_id: name, step_execution_id: `a-${name}` },
  taskOf: { owner: null, name, timeoutMs: null, ...(stepsPerInvocation && { stepsPerInvocation }) },
});
const update = (name: string): OutgoingMessage => ({
  topic: topics.monitoringUpdates,
  key: name,
  value: { message_type: 'monitoring_update', run_id: name },
});
const answerOf = (name: string): AgentResult => ({
  message_type: 'agent_result',
  run_id: name,
  step_execution_id: `a-${name}`,
  status: 'completed',
  result_token: 'token',
});
const ANSWERS = (name: string): Called => ({ status: 'answered', answer: answerOf(name) });

interface World {
  /** What a call comes to, by the agent's name; absent: it is not known to be quick. */
  readonly agents: Record<string, (call: { patienceMs: number }) => Promise<Called> | Called>;
  readonly deliver?: (message: OutgoingMessage) => Delivery;
  /** How long Kafka takes for it. */
  readonly takesMs?: (topic: string) => number;
  readonly decide?: (items: readonly BatchItem[], carryOut: CarryOut) => Promise<Outcome[]>;
  readonly stepsPerInvocation?: number;
  readonly remainingMs?: number;
}

function setUp({ agents, deliver, takesMs, decide, stepsPerInvocation = 1, remainingMs = 60_000 }: World) {
  const sent: string[][] = [];
  const removed: string[] = [];
  const settled: Settlement[] = [];
  const kept: string[] = [];
  const calls: string[] = [];
  const time = { now: 0 };
  const route: AgentRoute = { kind: 'http', address: 'https://agent', timeoutSeconds: null };
  const carryOut = new CarryOut({
    publisher: {
      async send(messages) {
        await sleep(Math.max(...messages.map(({ topic }) => takesMs?.(topic) ?? 0)));
        sent.push(messages.map(({ topic, value }) => `${topic} ${value.run_id}`));
        const deliveries = messages.map(
          (message): Delivery => deliver?.(message) ?? { status: 'acknowledged' },
        );
        return { deliveries, late: null };
      },
    },
    outbox: {
      remove: async (ids) => void removed.push(...ids),
      settle: async (settlements) => void settled.push(...settlements),
    },
    routeTasks: createRouteTasks({ registry: null, topics }),
    agents: {
      maybeFindCall(_, { name }) {
        const agent = agents[name];
        if (agent === undefined) return null;
        return async (patienceMs) => {
          calls.push(name);
          return agent({ patienceMs });
        };
      },
      keepAccepted: async (accepted) => void kept.push(...accepted.map(({ runId }) => runId)),
    },
    itemOf: ({ run_id: runId, step_execution_id: stepExecutionId }) => ({
      runId,
      event: {
        type: 'agent_answered',
        stepExecutionId,
        attempt: null,
        outcome: { status: 'completed', output: null },
        logs: null,
      },
    }),
    topics,
    clock: { now: () => time.now },
    limits: { patienceMs: PATIENCE_MS, stepsPerInvocation, maxStepsPerInvocation: 10 },
  });
  const commit = (id: string, ...messages: OutgoingMessage[]) => {
    const names = messages.flatMap(({ taskOf }) => taskOf ?? []);
    const entry: OutboxEntry = { id, messages };
    return carryOut.publishCommitted(entry, new Map(names.map((name) => [agentKey(name), route])));
  };
  carryOut.begin({
    remainingMs: () => remainingMs,
    decide: async (items) => (await decide?.(items, carryOut)) ?? items.map(() => decided),
  });
  return { carryOut, commit, sent, removed, settled, kept, calls, time };
}

describe('a task whose agent answers at once', () => {
  it('is not published, and its answer is; the row goes when that is acknowledged', async () => {
    const { carryOut, commit, sent, removed } = setUp({ agents: { one: () => ANSWERS('one') } });
    await commit('1', task('one'), update('one'));
    expect(await carryOut.finish()).toEqual({ hasAnswered: true });
    expect(sent).toEqual([['workflow.monitoring.updates one', 'results.topic one']]);
    expect(removed).toEqual(['1']);
  });

  it.each([1, 2])(
    'has what it leads to told of after what its commit tells (steps an invocation: %i)',
    async (stepsPerInvocation) => {
      const { carryOut, commit, sent } = setUp({
        agents: { one: () => sleep(2 * TOLD_BY_ITSELF_MS, ANSWERS('one')) },
        stepsPerInvocation,
        takesMs: (topic) => (topic === topics.monitoringUpdates ? 4 * TOLD_BY_ITSELF_MS : 0),
        decide: async (items) => {
          await commit('2', update('after one'));
          return items.map(() => decided);
        },
      });
      await commit('1', task('one'), update('one'));
      await carryOut.finish();
      const told = ['workflow.monitoring.updates one', 'workflow.monitoring.updates after one'];
      expect(sent).toEqual(
        stepsPerInvocation === 1 ? [[told[0]], ['results.topic one']] : told.map((text) => [text]),
      );
    },
  );

  it('is told of, with what follows, by one request where all of that takes no time', async () => {
    const { carryOut, commit, sent, removed } = setUp({
      agents: { one: () => ANSWERS('one') },
      stepsPerInvocation: 2,
      decide: async (items) => {
        await commit('2', update('after one'));
        return items.map(() => decided);
      },
    });
    await commit('1', task('one'), update('one'));
    expect(await carryOut.finish()).toEqual({ hasAnswered: false });
    expect(sent).toEqual([['workflow.monitoring.updates one', 'workflow.monitoring.updates after one']]);
    expect(removed).toEqual(['1', '2']);
  });

  it('is told of before the invocation is over where its answer leads to nothing', async () => {
    const { carryOut, commit, sent, removed } = setUp({
      agents: { one: () => ANSWERS('one') },
      stepsPerInvocation: 2,
      decide: async () => [{ outcome: 'refused', code: 'RUN_CLOSED' }],
    });
    await commit('1', task('one'), update('one'));
    await carryOut.finish();
    expect([sent, removed]).toEqual([[['workflow.monitoring.updates one']], ['1']]);
  });

  it('stays in its row until its call is over', async () => {
    const answer = Promise.withResolvers<Called>();
    const { carryOut, commit, sent, removed } = setUp({ agents: { one: () => answer.promise } });
    await commit('1', task('one'), update('one'));
    const finished = carryOut.finish();
    await sleep(2 * TOLD_BY_ITSELF_MS);
    expect([sent, removed]).toEqual([[['workflow.monitoring.updates one']], []]);
    answer.resolve(ANSWERS('one'));
    await finished;
    expect(removed).toEqual(['1']);
  });

  it('is left to the timekeeper where its answer is not acknowledged', async () => {
    const { carryOut, commit, removed, settled } = setUp({
      agents: { one: () => ANSWERS('one') },
      deliver: ({ topic }) =>
        topic === topics.results ? { status: 'unsent', reason: 'away' } : { status: 'acknowledged' },
    });
    await commit('1', task('one'), update('one'));
    await carryOut.finish();
    expect(removed).toEqual([]);
    expect(settled).toEqual([{ id: '1', published: '01', retryInMs: null, isRefused: null }]);
  });

  it('has the patience from its commit on, and goes by its topic when that is over', async () => {
    const patience: number[] = [];
    const { carryOut, commit, sent, removed } = setUp({
      agents: {
        one: ({ patienceMs }) => {
          patience.push(patienceMs);
          return { status: 'given_up' };
        },
      },
    });
    await commit('1', task('one'));
    await carryOut.finish();
    expect(patience).toEqual([PATIENCE_MS]);
    expect(sent).toEqual([['orchestrator.tasks.http one']]);
    expect(removed).toEqual(['1']);
  });

  it('is kept as accepted where its agent calls back', async () => {
    const { carryOut, commit, sent, kept, removed } = setUp({
      agents: {
        one: () => ({
          status: 'accepted',
          accepted: { runId: 'one', stepExecutionId: 'a-one', deadlineInMs: 1_000 },
        }),
      },
    });
    await commit('1', task('one'));
    await carryOut.finish();
    expect([sent, kept, removed]).toEqual([[], ['one'], ['1']]);
  });
});

describe('a batch', () => {
  const names = Array.from({ length: 100 }, (_, i) => `run-${i}`);

  it('calls its agents side by side, and publishes their answers at once', async () => {
    const all = Promise.withResolvers<void>();
    const agents = Object.fromEntries(
      names.map((name) => [
        name,
        async () => {
          if (calls.length === names.length) all.resolve();
          await all.promise;
          return ANSWERS(name);
        },
      ]),
    );
    const { carryOut, commit, sent, calls } = setUp({ agents });
    await commit('1', ...names.map((name) => task(name)));
    await carryOut.finish();
    expect(sent).toEqual([names.map((name) => `results.topic ${name}`)]);
  });

  it('does not hold answers back for one agent that is slow', async () => {
    const slow = Promise.withResolvers<Called>();
    const agents = Object.fromEntries(names.map((name) => [name, () => ANSWERS(name)]));
    const { carryOut, commit, sent, removed } = setUp({ agents: { ...agents, slow: () => slow.promise } });
    await commit('1', task('slow'), ...names.map((name) => task(name)));
    while (sent.length === 0) await sleep(1);
    expect(sent).toEqual([names.map((name) => `results.topic ${name}`)]);
    expect(removed).toEqual([]);
    slow.resolve(ANSWERS('slow'));
    await carryOut.finish();
    expect(sent.slice(1)).toEqual([['results.topic slow']]);
    expect(removed).toEqual(['1']);
  });

  it('calls no agent whose turn comes when half of the patience is over', async () => {
    const hanging = Promise.withResolvers<void>();
    const many = Array.from({ length: 200 }, (_, i) => `run-${i}`);
    const agents = Object.fromEntries(
      many.map((name) => [
        name,
        async (): Promise<Called> => {
          await hanging.promise;
          return { status: 'given_up' };
        },
      ]),
    );
    const { carryOut, commit, sent, calls, time } = setUp({ agents });
    await commit('1', ...many.map((name) => task(name)));
    time.now += PATIENCE_MS;
    hanging.resolve();
    await carryOut.finish();
    expect(calls).toHaveLength(128);
    expect(sent.flat().toSorted()).toEqual(many.map((name) => `orchestrator.tasks.http ${name}`).toSorted());
  });
});

describe('a run that is carried on', () => {
  /** Each answer leads to the next task of its run, `steps` in all; the row of each is its number. */
  const runOf = (steps: number, given: Partial<World> & { readonly asked?: number } = {}) => {
    const items: string[][] = [];
    let step = 1;
    const world = setUp({
      agents: { one: () => ANSWERS('one') },
      ...given,
      decide: async (some) => {
        items.push(some.map(({ runId }) => runId));
        if (step++ < steps) await world.commit(`${step}`, task('one', given.asked), update('one'));
        return some.map(() => decided);
      },
    });
    const go = async () => {
      await world.commit('1', task('one', given.asked), update('one'));
      await world.carryOut.finish();
      return {
        decisions: items.length,
        calls: world.calls.length,
        answers: world.sent.flat().filter((text) => text.startsWith('results')).length,
        removed: world.removed.toSorted(),
      };
    };
    return go();
  };

  it.each([
    ['not, where nobody asks for it', {}, { decisions: 0, calls: 1, answers: 1, removed: ['1'] }],
    [
      'to its end, where the deployment allows so many steps',
      { stepsPerInvocation: 8 },
      { decisions: 5, calls: 5, answers: 0, removed: ['1', '2', '3', '4', '5'] },
    ],
    [
      'as far as its workflow asks for',
      { asked: 3 },
      { decisions: 2, calls: 3, answers: 1, removed: ['1', '2', '3'] },
    ],
    [
      'less far than the deployment would, where its workflow asks for that',
      { stepsPerInvocation: 8, asked: 1 },
      { decisions: 0, calls: 1, answers: 1, removed: ['1'] },
    ],
    [
      'not, where the invocation has no time left',
      { stepsPerInvocation: 8, remainingMs: 10_000 },
      { decisions: 0, calls: 1, answers: 1, removed: ['1'] },
    ],
  ])('goes %s', async (_, given, expected) => {
    expect(await runOf(5, given)).toEqual(expected);
  });

  it('goes no further than the deployment’s maximum, whatever its workflow asks for', async () => {
    expect(await runOf(50, { asked: 100 })).toMatchObject({ decisions: 9, calls: 10, answers: 1 });
  });

  it.each([
    ['fails', () => Promise.reject(new Error('away'))],
    ['is a defect', async (): Promise<Outcome[]> => [{ outcome: 'defect', reason: 'ours' }]],
  ])('has its answer published where deciding it %s', async (_, decide) => {
    const { carryOut, commit, sent, removed } = setUp({
      agents: { one: () => ANSWERS('one') },
      stepsPerInvocation: 8,
      decide,
    });
    await commit('1', task('one'));
    await carryOut.finish();
    expect([sent, removed]).toEqual([[['results.topic one']], ['1']]);
  });

  it('is over where its answer is refused: it was cancelled meanwhile', async () => {
    const { carryOut, commit, sent, removed } = setUp({
      agents: { one: () => ANSWERS('one') },
      stepsPerInvocation: 8,
      decide: async () => [{ outcome: 'refused', code: 'RUN_CLOSED' }],
    });
    await commit('1', task('one'));
    await carryOut.finish();
    expect([sent, removed]).toEqual([[], ['1']]);
  });
});

it('goes on after something that could not even be sent', async () => {
  let isBroken = true;
  const { carryOut, commit, sent } = setUp({
    agents: {},
    deliver: () => {
      if (isBroken) throw new Error('a defect');
      return { status: 'acknowledged' };
    },
  });
  await commit('1', update('one'));
  await expect(carryOut.finish()).rejects.toThrow('a defect');
  isBroken = false;
  await commit('2', update('two'));
  await carryOut.finish();
  expect(sent.at(-1)).toEqual(['workflow.monitoring.updates two']);
});

it('leaves what was committed outside of an invocation to the topics', async () => {
  const { carryOut, commit, sent, calls } = setUp({ agents: { one: () => ANSWERS('one') } });
  await carryOut.finish();
  await commit('1', task('one'));
  await carryOut.finish();
  expect([calls, sent]).toEqual([[], [['orchestrator.tasks.http one']]]);
});
