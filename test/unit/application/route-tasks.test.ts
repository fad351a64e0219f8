import { describe, expect, it } from 'vitest';
import {
  type AgentRegistry,
  type AgentRoute,
  agentKey,
  type OutboxEntry,
  type OutgoingMessage,
} from '../../../shared/application/ports.ts';
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

const entryOf = (...messages: OutgoingMessage[]): OutboxEntry => ({ id: 'entry', messages });
const routesOf = (...routes: [name: string, route: AgentRoute, owner?: string | null][]) =>
  new Map(routes.map(([name, route, owner = 'ann']) => [agentKey({ owner, name }), route]));
const topicsOf = (entries: readonly OutboxEntry[]) =>
  entries.flatMap(({ messages }) => messages.map(({ topic }) => topic));

/** Knows nothing until it is asked; then what `answers` has, and nothing of the others. */
function registryOf(answers: Record<string, AgentRoute | null>) {
  const known = new Map<string, AgentRoute | null>();
  const lookUps: (readonly string[])[] = [];
  const registry: AgentRegistry = {
    known: (name) => known.get(name),
    async lookUp(names) {
      lookUps.push(names);
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
  ])('%s', async (_, route, routed) => {
    const routeTasks = createRouteTasks({ registry: null, topics });
    const [entry] = await routeTasks([entryOf(taskOf('x'))], routesOf(['x', route]));
    expect(entry?.messages).toMatchObject([{ key: 'x', value: { agent_name: 'x' }, ...routed }]);
    expect(entry?.messages[0]?.agentTimeoutMs).toBe(route === kafka ? 60_000 : undefined);
  });

  it.each<[string, number | null | undefined, number | null, number]>([
    ['its step', 2_000, 9, 2_000],
    ['its agent', null, 9, 9_000],
    ['nobody', null, null, 60_000],
    ['an earlier release', undefined, 9, 9_000],
  ])('to a kafka agent with the time that %s gives', async (_, timeoutMs, timeoutSeconds, expected) => {
    const routeTasks = createRouteTasks({ registry: null, topics });
    const task = taskOf('x');
    const given = { ...task, taskOf: { ...task.taskOf!, ...(timeoutMs !== undefined && { timeoutMs }) } };
    const [entry] = await routeTasks([entryOf(given)], routesOf(['x', { ...kafka, timeoutSeconds }]));
    expect(entry?.messages[0]?.agentTimeoutMs).toBe(expected);
  });

  it.each(['workflow.cancellation.requests', 'results.topic', 'agent.cancellations', 'agent.x y', ''])(
    'into no topic that is not an agent’s: %j, whether the table names it or the registry',
    async (address) => {
      const route: AgentRoute = { kind: 'kafka', address, timeoutSeconds: null };
      const { registry } = registryOf({ y: route });
      const routeTasks = createRouteTasks({ registry, topics });
      const entry = entryOf(taskOf('x'), taskOf('y'));
      expect(topicsOf(await routeTasks([entry], routesOf(['x', route])))).toEqual([
        'tasks.http',
        'tasks.http',
      ]);
    },
  );

  it('by its own owner’s route', async () => {
    const routeTasks = createRouteTasks({ registry: null, topics });
    const entry = entryOf(taskOf('x', 'ann'), taskOf('x', 'bob'), taskOf('x', null));
    const routes = routesOf(['x', kafka, 'ann'], ['x', lambda, null]);
    expect(topicsOf(await routeTasks([entry], routes))).toEqual(['agent.x', 'tasks.http', 'tasks.lambda']);
  });

  it('to the HTTP bridge where nobody knows the agent, which tells the run', async () => {
    const routeTasks = createRouteTasks({ registry: null, topics });
    expect(topicsOf(await routeTasks([entryOf(taskOf('x'))], new Map()))).toEqual(['tasks.http']);
  });
});

describe('what is no task, or was written by a version that put the topic in', () => {
  it('stays as it is, and nobody is asked for it', async () => {
    const { registry, lookUps } = registryOf({ x: kafka });
    const routeTasks = createRouteTasks({ registry, topics });
    const entry = entryOf(
      { topic: 'requests', key: 'r1', value: {}, planOf: 'version' },
      { topic: 'agent.before', key: 'a1', value: { agent_name: 'x' } },
    );
    expect(agentsOf([entry])).toEqual([]);
    expect(await routeTasks([entry], new Map())).toEqual([entry]);
    expect(lookUps).toEqual([]);
  });
});

describe('the registry', () => {
  it('is asked once for all that the table does not have, each name once', async () => {
    const { registry, lookUps } = registryOf({ x: kafka, y: lambda, z: null });
    const routeTasks = createRouteTasks({ registry, topics });
    const entries = [
      entryOf(taskOf('x', 'ann'), taskOf('y')),
      entryOf(taskOf('x', 'bob'), taskOf('z'), taskOf('mine')),
    ];
    const routed = await routeTasks(entries, routesOf(['mine', http]));
    expect(lookUps).toEqual([['x', 'y', 'z']]);
    expect(topicsOf(routed)).toEqual(['agent.x', 'tasks.lambda', 'agent.x', 'tasks.http', 'tasks.http']);
  });

  it('is not asked for what it has told: a route, or that there is none', async () => {
    const { registry, lookUps } = registryOf({ x: kafka, z: null });
    const routeTasks = createRouteTasks({ registry, topics });
    await routeTasks([entryOf(taskOf('x'), taskOf('z'))], new Map());
    expect(topicsOf(await routeTasks([entryOf(taskOf('x'), taskOf('z'))], new Map()))).toEqual([
      'agent.x',
      'tasks.http',
    ]);
    expect(lookUps).toHaveLength(1);
  });

  it('that cannot tell keeps no task: the HTTP bridge asks it again, as does the next routing', async () => {
    const { registry, lookUps } = registryOf({});
    const routeTasks = createRouteTasks({ registry, topics });
    for (let i = 0; i < 2; i++)
      expect(topicsOf(await routeTasks([entryOf(taskOf('x'))], new Map()))).toEqual(['tasks.http']);
    expect(lookUps).toEqual([['x'], ['x']]);
  });
});

describe('agentsOf', () => {
  it('names each agent once, as each owner sees it', () => {
    const entries = [
      entryOf(taskOf('x', 'ann'), taskOf('x', 'ann')),
      entryOf(taskOf('x', 'bob'), taskOf('y')),
    ];
    expect(agentsOf(entries)).toEqual([
      { owner: 'ann', name: 'x' },
      { owner: 'bob', name: 'x' },
      { owner: 'ann', name: 'y' },
    ]);
  });
});
