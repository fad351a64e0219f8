import { describe, expect, it } from 'vitest';
import { type AgentRegistry, type AgentRoute, agentKey } from '../../../shared/application/ports/agents.ts';
import type { OutgoingMessage } from '../../../shared/application/ports/publishing.ts';
import type { ToPublish } from '../../../shared/application/publishing-record.ts';
import { agentsOf, createRouteTasks } from '../../../shared/application/route-tasks.ts';
import { topicsFor } from '../../../shared/config/topics.ts';

const topics = {
  ...topicsFor({ prefix: '', executionTopic: 'executions', cancellationTopic: 'agent.cancellations' }),
  httpTasks: 'tasks.http',
  lambdaTasks: 'tasks.lambda',
};
const kafka: AgentRoute = { kind: 'kafka', address: 'agent.x', timeoutSeconds: null };
const lambda: AgentRoute = { kind: 'lambda', address: 'arn', timeoutSeconds: null };
const http: AgentRoute = { kind: 'http', address: 'https://x', timeoutSeconds: null };

/** What a decision leaves in the outbox: every task on its way to the HTTP bridge. */
function taskOf(name: string, owner: string | null = 'ann'): OutgoingMessage {
  return { topic: topics.httpTasks, key: name, value: { agent_name: name }, taskOf: { owner, name } };
}

const placed = (...messages: OutgoingMessage[]): ToPublish[] =>
  messages.map((message, i) => ({ place: { entry: 0, message: i }, message }));
const routesOf = (...routes: [name: string, route: AgentRoute, owner?: string | null][]) =>
  new Map(routes.map(([name, route, owner = 'ann']) => [agentKey({ owner, name }), route]));
const topicsOf = (messages: readonly ToPublish[]) => messages.map(({ message }) => message.topic);

/** Knows nothing until it is asked; then what `answers` has, and nothing of the others. */
function registryOf(answers: Record<string, AgentRoute | null>) {
  const known = new Map<string, AgentRoute | null>();
  const lookUps: (readonly [names: readonly string[], patienceMs: number])[] = [];
  const registry: AgentRegistry = {
    known: (name) => known.get(name),
    async lookUp(names, patienceMs) {
      lookUps.push([names, patienceMs]);
      for (const name of names) if (name in answers) known.set(name, answers[name]!);
    },
  };
  return { registry, lookUps };
}

describe('a task goes', () => {
  it.each<[string, AgentRoute, object]>([
    ['to the bridge of an http agent', http, { topic: 'tasks.http' }],
    ['to the bridge of a lambda agent', lambda, { topic: 'tasks.lambda' }],
    ['to the topic of a kafka agent', kafka, { topic: 'agent.x', agentTimeoutMs: 60_000 }],
  ])('%s', (_, route, routed) => {
    const routeTasks = createRouteTasks({ registry: null, topics });
    expect(routeTasks.route(placed(taskOf('x')), routesOf(['x', route]))).toEqual({
      ready: [
        { place: { entry: 0, message: 0 }, message: { key: 'x', value: { agent_name: 'x' }, ...routed } },
      ],
      lacking: [],
    });
  });

  it.each<[string, number | null | undefined, number | null, number]>([
    ['its step', 2_000, 9, 2_000],
    ['its agent', null, 9, 9_000],
    ['nobody', null, null, 60_000],
    ['an earlier release', undefined, 9, 9_000],
  ])('to a kafka agent with the time that %s gives', (_, timeoutMs, timeoutSeconds, expected) => {
    const routeTasks = createRouteTasks({ registry: null, topics });
    const task = taskOf('x');
    const given = { ...task, taskOf: { ...task.taskOf!, ...(timeoutMs !== undefined && { timeoutMs }) } };
    const { ready } = routeTasks.route(placed(given), routesOf(['x', { ...kafka, timeoutSeconds }]));
    expect(ready[0]?.message.agentTimeoutMs).toBe(expected);
  });

  it.each(['workflow.cancellation.requests', 'results.topic', 'agent.cancellations', 'agent.x y', ''])(
    'into no topic that is not an agent’s: %j, whether the table names it or the registry',
    async (address) => {
      const toThere: AgentRoute = { kind: 'kafka', address, timeoutSeconds: null };
      const { registry } = registryOf({ y: toThere });
      const { route, ask } = createRouteTasks({ registry, topics });
      const messages = placed(taskOf('x'), taskOf('y'));
      const routes = routesOf(['x', toThere]);
      await ask(route(messages, routes).lacking, 50);
      expect(topicsOf(route(messages, routes).ready)).toEqual(['tasks.http', 'tasks.http']);
    },
  );

  it('by its own owner’s route', () => {
    const { route } = createRouteTasks({ registry: null, topics });
    const messages = placed(taskOf('x', 'ann'), taskOf('x', 'bob'), taskOf('x', null));
    const routes = routesOf(['x', kafka, 'ann'], ['x', lambda, null]);
    expect(topicsOf(route(messages, routes).ready)).toEqual(['agent.x', 'tasks.http', 'tasks.lambda']);
  });

  it('to the HTTP bridge where nobody knows the agent, which tells the run', () => {
    const { route } = createRouteTasks({ registry: null, topics });
    expect(topicsOf(route(placed(taskOf('x')), new Map()).ready)).toEqual(['tasks.http']);
  });
});

describe('what is no task, or was written by a version that put the topic in', () => {
  it('stays as it is, and nobody is asked for it', async () => {
    const { registry, lookUps } = registryOf({ x: kafka });
    const { route, ask } = createRouteTasks({ registry, topics });
    const messages = placed(
      { topic: 'requests', key: 'r1', value: {}, planOf: 'version' },
      { topic: 'agent.before', key: 'a1', value: { agent_name: 'x' } },
    );
    expect(agentsOf(messages.map(({ message }) => message))).toEqual([]);
    const { ready, lacking } = route(messages, new Map());
    expect([ready, lacking]).toEqual([messages, []]);
    await ask(lacking, 50);
    expect(lookUps).toEqual([]);
  });
});

describe('the registry', () => {
  it('is waited for by those alone whose agents the table does not have, and asked once for each name', async () => {
    const { registry, lookUps } = registryOf({ x: kafka, y: lambda, z: null });
    const { route, ask } = createRouteTasks({ registry, topics });
    const messages = placed(
      taskOf('x', 'ann'),
      taskOf('y'),
      taskOf('mine'),
      taskOf('x', 'bob'),
      taskOf('z'),
      { topic: 'updates', key: 'r1', value: {} },
    );
    const routes = routesOf(['mine', http]);
    const { ready, lacking } = route(messages, routes);
    expect(topicsOf(ready)).toEqual(['tasks.http', 'updates']);
    expect(lacking.map(({ message: { key } }) => key)).toEqual(['x', 'y', 'x', 'z']);
    expect(lookUps).toEqual([]);
    await ask(lacking, 50);
    expect(lookUps).toEqual([[['x', 'y', 'z'], 50]]);
    const asked = route(lacking, routes);
    expect(topicsOf(asked.ready)).toEqual(['agent.x', 'tasks.lambda', 'agent.x', 'tasks.http']);
    expect(asked.lacking).toEqual([]);
  });

  it('that cannot tell leaves its tasks without a way, and keeps no other', async () => {
    const { registry } = registryOf({ y: lambda });
    const { route, ask } = createRouteTasks({ registry, topics });
    const { lacking } = route(placed(taskOf('x'), taskOf('y')), new Map());
    await ask(lacking, 50);
    const asked = route(lacking, new Map());
    expect(topicsOf(asked.ready)).toEqual(['tasks.lambda']);
    expect(asked.lacking).toEqual([lacking[0]]);
  });
});

describe('agentsOf', () => {
  it('names each agent once, as each owner sees it', () => {
    const messages = [taskOf('x', 'ann'), taskOf('x', 'ann'), taskOf('x', 'bob'), taskOf('y')];
    expect(agentsOf(messages)).toEqual([
      { owner: 'ann', name: 'x' },
      { owner: 'bob', name: 'x' },
      { owner: 'ann', name: 'y' },
    ]);
  });
});
