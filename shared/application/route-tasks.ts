import { planDefaults } from '../config/plan-defaults.ts';
import { agentTopicProblem, type Topics } from '../config/topics.ts';
import {
  type AgentRegistry,
  type AgentRoute,
  agentKey,
  type OutboxEntry,
  type OutgoingMessage,
  type TaskAgent,
} from './ports.ts';

/**
 * Puts in where each task goes: by its agent's row in the table, else by what the registry says, which is asked once for all that
 * it has not told yet. After the commit, so that no lock waits for a registry. Never throws.
 */
export type RouteTasks = (
  entries: readonly OutboxEntry[],
  routes: ReadonlyMap<string, AgentRoute>,
) => Promise<OutboxEntry[]>;

export function createRouteTasks({
  registry,
  topics,
}: {
  readonly registry: AgentRegistry | null;
  readonly topics: Topics;
}): RouteTasks {
  const routed = (message: OutgoingMessage, task: TaskAgent, route: AgentRoute): OutgoingMessage => {
    const { kind, address } = route;
    // Into no topic but an agent's is anything published for it, whoever named the topic: the bridge says what is wrong with it.
    if (kind === 'kafka' && agentTopicProblem(address, topics) === null)
      return { ...message, topic: address, agentTimeoutMs: timeoutMsOf(task, route) };
    return { ...message, topic: kind === 'lambda' ? topics.lambdaTasks : topics.httpTasks };
  };
  return async (entries, routes) => {
    if (registry !== null) {
      const unknown = agentsOf(entries).filter((agent) => !routes.has(agentKey(agent)));
      const unasked = unknown.filter(({ name }) => registry.known(name) === undefined);
      if (unasked.length > 0) await registry.lookUp([...new Set(unasked.map(({ name }) => name))]);
    }
    return entries.map((entry) => ({
      ...entry,
      messages: entry.messages.map(({ taskOf, ...message }) => {
        const route = taskOf && (routes.get(agentKey(taskOf)) ?? registry?.known(taskOf.name));
        return route ? routed(message, taskOf, route) : message;
      }),
    }));
  };
}

/** The step's own timeout comes first, then its agent's. */
function timeoutMsOf({ timeoutMs }: TaskAgent, { timeoutSeconds }: AgentRoute): number {
  return timeoutMs ?? (timeoutSeconds === null ? planDefaults.defaultTimeoutMs : timeoutSeconds * 1_000);
}

/** The agents whose tasks are to be published, each once. */
export function agentsOf(entries: readonly OutboxEntry[]): TaskAgent[] {
  const agents = new Map<string, TaskAgent>();
  for (const { messages } of entries)
    for (const { taskOf } of messages) if (taskOf) agents.set(agentKey(taskOf), taskOf);
  return [...agents.values()];
}
