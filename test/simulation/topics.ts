import { topicsFor } from '../../shared/config/topics.ts';

export const topics = topicsFor({
  prefix: '',
  executionTopic: 'requests',
  cancellationTopic: 'cancellations',
});

export const EXECUTOR_TOPICS = [
  topics.executionRequests,
  topics.cancellationRequests,
  topics.stepRequests,
  topics.results,
];

export const AGENT_TOPIC = 'agent.simulated';

/** An agent of the table, with a topic of its own, and one that only the registry knows, called by the bridge. */
export const TABLE_AGENT = 'agent';
export const REGISTRY_AGENT = 'looked-up';

/** Where an agent's tasks must go; anywhere else they would never be carried out. */
export function topicOfAgent(name: string): string {
  return name === REGISTRY_AGENT ? topics.httpTasks : AGENT_TOPIC;
}
