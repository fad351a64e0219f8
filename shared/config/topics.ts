/** The topics of design §1 and §4, by what they carry. `KAFKA_TOPIC_PREFIX` lets several stacks share one cluster. */
export interface Topics {
  readonly executionRequests: string;
  readonly cancellationRequests: string;
  readonly stepRequests: string;
  readonly results: string;
  readonly httpTasks: string;
  readonly lambdaTasks: string;
  readonly monitoringUpdates: string;
  readonly deadLetter: string;
  /** What an event source mapping has given up, as Lambda writes it. */
  readonly onFailure: string;
}

export type TopicName = keyof Topics;

export interface TopicSettings {
  readonly prefix: string;
  readonly executionTopic: string;
  readonly cancellationTopic: string;
}

export function topicsFor({ prefix, executionTopic, cancellationTopic }: TopicSettings): Topics {
  return {
    executionRequests: prefix + executionTopic,
    cancellationRequests: prefix + cancellationTopic,
    stepRequests: `${prefix}workflow.step.requests`,
    results: `${prefix}results.topic`,
    httpTasks: `${prefix}orchestrator.tasks.http`,
    lambdaTasks: `${prefix}orchestrator.tasks.lambda`,
    monitoringUpdates: `${prefix}workflow.monitoring.updates`,
    deadLetter: `${prefix}workflow.dead-letter`,
    onFailure: `${prefix}workflow.on-failure`,
  };
}

/** Topics of agents that speak Kafka themselves start so (design §4), and so never name one of ours or of somebody else's. */
export const AGENT_TOPIC_PREFIX = 'agent.';
const MAX_TOPIC_LENGTH = 249;

/** What is wrong with the topic of an agent, or null. A deployment's own prefix may be anything, this one too. */
export function agentTopicProblem(topic: string, topics: Topics): string | null {
  if (!/^[\w.-]+$/.test(topic) || topic.length > MAX_TOPIC_LENGTH) {
    return `expected at most ${MAX_TOPIC_LENGTH} letters, digits, dots, underscores and hyphens`;
  }
  if (!topic.startsWith(AGENT_TOPIC_PREFIX)) return `expected to start with ${AGENT_TOPIC_PREFIX}`;
  if (Object.values(topics).includes(topic)) return "expected an agent's topic, got one of Stepline's own";
  return null;
}
