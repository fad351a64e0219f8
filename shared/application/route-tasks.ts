import { planDefaults } from '../config/plan-defaults.ts';
import { agentTopicProblem, type Topics } from '../config/topics.ts';
import { type AgentName, type AgentRegistry, type AgentRoute, agentKey } from './ports/agents.ts';
import type { OutgoingMessage, TaskAgent } from './ports/publishing.ts';
import type { ToPublish } from './publishing-record.ts';

export interface RouteTasks {
  /**
   * Puts in where tasks go: by their agents' rows in the table, else by what the registry has told. Asks nobody and waits for nobody. A
   * task of an agent that nobody knows goes to the HTTP bridge, which tells the run.
   * @returns `lacking` are those of whose agents the registry has yet to tell
   */
  route(
    messages: readonly ToPublish[],
    routes: ReadonlyMap<string, AgentRoute>,
  ): { ready: ToPublish[]; lacking: ToPublish[] };
  /** Asks the registry for all that lack a route, each agent once. Never rejects. @param patienceMs so long at most */
  ask(lacking: readonly ToPublish[], patienceMs: number): Promise<void>;
}

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
  /** Null: nobody knows the agent. Undefined: the registry has yet to tell. */
  const routeOf = (agent: AgentName, routes: ReadonlyMap<string, AgentRoute>) =>
    routes.get(agentKey(agent)) ?? (registry === null ? null : registry.known(agent.name));
  return {
    route(messages, routes) {
      const ready: ToPublish[] = [];
      const lacking: ToPublish[] = [];
      for (const each of messages) {
        const { taskOf, ...message } = each.message;
        const route = taskOf === undefined ? null : routeOf(taskOf, routes);
        if (route === undefined) lacking.push(each);
        else if (taskOf === undefined || route === null) ready.push({ ...each, message });
        else ready.push({ ...each, message: routed(message, taskOf, route) });
      }
      return { ready, lacking };
    },
    async ask(lacking, patienceMs) {
      const names = new Set(lacking.flatMap(({ message: { taskOf } }) => taskOf?.name ?? []));
      if (registry !== null && names.size > 0) await registry.lookUp([...names], patienceMs);
    },
  };
}

/** The step's own timeout comes first, then its agent's. */
function timeoutMsOf({ timeoutMs }: TaskAgent, { timeoutSeconds }: AgentRoute): number {
  return timeoutMs ?? (timeoutSeconds === null ? planDefaults.defaultTimeoutMs : timeoutSeconds * 1_000);
}

/** The agents whose tasks are to be published, each once. */
export function agentsOf(messages: readonly { readonly taskOf?: TaskAgent | undefined }[]): TaskAgent[] {
  const agents = new Map<string, TaskAgent>();
  for (const { taskOf } of messages) if (taskOf) agents.set(agentKey(taskOf), taskOf);
  return [...agents.values()];
}
