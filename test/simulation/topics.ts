import { createRouteTasks } from '../../shared/application/route-tasks.ts';
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

/** The agents' own: a task that went anywhere else would never be carried out. */
export const AGENT_TOPIC = 'agent.simulated';

export const routeTasks = createRouteTasks({ registry: null, topics });
