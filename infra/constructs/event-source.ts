import { Duration } from 'aws-cdk-lib';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import { KafkaDlq } from 'aws-cdk-lib/aws-lambda-event-sources';
import { Construct } from 'constructs';
import type { EventSource } from '../../shared/config/event-sources.ts';
import { giveUp } from '../../shared/config/topic-layout.ts';

/** Where a mapping's records are. */
export type Cluster =
  | { readonly arn: string; readonly pollerGroup: string; readonly partitions: number }
  | { readonly brokers: readonly string[] };

export interface MappingProps {
  readonly source: EventSource;
  readonly target: lambda.IFunction;
  readonly cluster: Cluster;
  readonly onFailureTopic: string;
}

/** A poller invokes at most five at once, and each partition asks for one. */
const INVOCATIONS_OF_A_POLLER = 5;

/**
 * A topic's records go to a function. Provisioned mode, since partial failures, attempts and the on-failure topic need it; all
 * mappings share one group of pollers, which is what is paid for.
 */
export class KafkaMapping extends Construct {
  readonly mapping: lambda.EventSourceMapping;

  constructor(scope: Construct, id: string, { source, target, cluster, onFailureTopic }: MappingProps) {
    super(scope, id);
    this.mapping = new lambda.EventSourceMapping(this, 'Mapping', {
      target,
      ...addressOf(cluster),
      kafkaTopic: source.topic,
      kafkaConsumerGroupId: source.consumerGroupId,
      // Records that were published before the mapping was made are runs too.
      startingPosition: lambda.StartingPosition.TRIM_HORIZON,
      batchSize: source.batchSize,
      // What has arrived is taken at once: batching never waits.
      maxBatchingWindow: Duration.seconds(0),
      reportBatchItemFailures: true,
      bisectBatchOnError: true,
      // Endless retries are cut to ten where there is an on-failure topic.
      retryAttempts: giveUp.afterAttempts,
      maxRecordAge: Duration.seconds(giveUp.afterSeconds),
      onFailure: new KafkaDlq(onFailureTopic),
    });
  }
}

function addressOf(cluster: Cluster): Partial<lambda.EventSourceMappingOptions> {
  if ('brokers' in cluster) return { kafkaBootstrapServers: [...cluster.brokers] };
  return {
    eventSourceArn: cluster.arn,
    provisionedPollerConfig: {
      minimumPollers: 1,
      maximumPollers: Math.ceil(cluster.partitions / INVOCATIONS_OF_A_POLLER),
      pollerGroupName: cluster.pollerGroup,
    },
    metricsConfig: {
      metrics: [
        lambda.MetricType.EVENT_COUNT,
        lambda.MetricType.ERROR_COUNT,
        lambda.MetricType.KAFKA_METRICS,
      ],
    },
  };
}
