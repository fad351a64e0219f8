import type { Topics } from './topics.ts';

/** One event source mapping: a topic's records go to a function (design §1). */
export interface EventSource {
  readonly topic: string;
  readonly functionName: 'step-executor' | 'http-bridge' | 'lambda-bridge';
  readonly batchSize: number;
  /** One group for each mapping; Lambda keeps it for the mapping's life. */
  readonly consumerGroupId: string;
}

export interface BatchSizes {
  /** Records of one invocation of the step-executor; 1 executes one step an invocation. */
  readonly stepBatchSize: number;
  /** Tasks of one invocation of either bridge. */
  readonly bridgeBatchSize: number;
}

export const defaultBatchSizes: BatchSizes = { stepBatchSize: 1, bridgeBatchSize: 10 };

/** @param groupId the prefix of the groups, `KAFKA_GROUP_ID` */
export function eventSourcesOf(
  topics: Topics,
  groupId: string,
  sizes: BatchSizes = defaultBatchSizes,
): EventSource[] {
  const source = (
    topic: string,
    functionName: EventSource['functionName'],
    batchSize: number,
  ): EventSource => ({
    topic,
    functionName,
    batchSize,
    consumerGroupId: `${groupId}.${topic}`,
  });
  const stepTopics = [
    topics.executionRequests,
    topics.cancellationRequests,
    topics.stepRequests,
    topics.results,
  ];
  return [
    ...stepTopics.map((topic) => source(topic, 'step-executor', sizes.stepBatchSize)),
    source(topics.httpTasks, 'http-bridge', sizes.bridgeBatchSize),
    source(topics.lambdaTasks, 'lambda-bridge', sizes.bridgeBatchSize),
  ];
}
