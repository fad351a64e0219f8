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

/** An agent's own, which it reads without a bridge. */
export const AGENT_TOPIC = 'agent.simulated';

/** Agents of the table, one called by the bridge and one with a topic of its own, and one that only the registry knows. */
export const TABLE_AGENT = 'agent';
export const KAFKA_AGENT = 'kafka-agent';
export const REGISTRY_AGENT = 'looked-up';

/** A task that went anywhere else would never be carried out. */
export const TASK_TOPICS = [topics.httpTasks, AGENT_TOPIC];

export function taskTopicOf(agentName: unknown): string {
  return agentName === KAFKA_AGENT ? AGENT_TOPIC : topics.httpTasks;
}
