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

/** Topics of agents that speak Kafka themselves start so (design §4), and so can never name one of ours. */
export const AGENT_TOPIC_PREFIX = 'agent.';
