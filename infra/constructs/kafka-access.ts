import { Fn } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import type { TopicName, Topics } from '../../shared/config/topics.ts';
import { AGENT_TOPIC_PREFIX } from '../../shared/config/topics.ts';

/** Statements about one MSK cluster's topics and groups, by their names. */
export class KafkaAccess {
  readonly #clusterArn: string;
  readonly #topics: Topics;

  constructor(clusterArn: string, topics: Topics) {
    this.#clusterArn = clusterArn;
    this.#topics = topics;
  }

  connect(): iam.PolicyStatement {
    // `DescribeCluster` is the health check's.
    return statement(['Connect', 'DescribeCluster'], [this.#clusterArn]);
  }

  write(names: readonly (TopicName | 'agents')[]): iam.PolicyStatement {
    const topics = names.map((name) => (name === 'agents' ? `${AGENT_TOPIC_PREFIX}*` : this.#topics[name]));
    return statement(
      ['DescribeTopic', 'WriteData'],
      topics.map((topic) => this.#arn('topic', topic)),
    );
  }

  /** To count what is in them. */
  describe(names: readonly TopicName[]): iam.PolicyStatement {
    return statement(
      ['DescribeTopic'],
      names.map((name) => this.#arn('topic', this.#topics[name])),
    );
  }

  /** To tell how far groups are behind their topics' ends. */
  measureLag(topics: readonly string[], groups: readonly string[]): iam.PolicyStatement[] {
    return [
      statement(
        ['DescribeTopic'],
        topics.map((topic) => this.#arn('topic', topic)),
      ),
      statement(
        ['DescribeGroup'],
        groups.map((group) => this.#arn('group', group)),
      ),
    ];
  }

  /** What a mapping's pollers do as the function's role; the toolkit grants none of it. */
  consume(
    topics: readonly string[],
    groups: readonly string[],
    onFailureTopic: string,
  ): iam.PolicyStatement[] {
    return [
      statement(['DescribeClusterDynamicConfiguration'], [this.#clusterArn]),
      statement(
        ['DescribeTopic', 'ReadData'],
        topics.map((topic) => this.#arn('topic', topic)),
      ),
      statement(
        ['DescribeGroup', 'AlterGroup'],
        groups.map((group) => this.#arn('group', group)),
      ),
      statement(['DescribeTopic', 'WriteData'], [this.#arn('topic', onFailureTopic)]),
      new iam.PolicyStatement({
        actions: ['kafka:DescribeClusterV2', 'kafka:GetBootstrapBrokers'],
        resources: [this.#clusterArn],
      }),
      // The pollers' interfaces are made in the cluster's VPC. EC2 knows no narrower resource for these.
      new iam.PolicyStatement({
        actions: ['ec2:DescribeSecurityGroups', 'ec2:DescribeVpcs'],
        resources: ['*'],
      }),
    ];
  }

  /** Both kinds of records that nobody could deal with, and how far a redrive has come. */
  readGivenUp(groupId: string): iam.PolicyStatement[] {
    const topics = [this.#topics.deadLetter, this.#topics.onFailure];
    return [
      statement(
        ['DescribeTopic', 'ReadData'],
        topics.map((topic) => this.#arn('topic', topic)),
      ),
      statement(['DescribeGroup', 'AlterGroup'], [this.#arn('group', groupId)]),
    ];
  }

  makeTopics(): iam.PolicyStatement {
    return statement(
      ['CreateTopic', 'DescribeTopic'],
      Object.values(this.#topics).map((topic: string) => this.#arn('topic', topic)),
    );
  }

  /** `arn:…:cluster/name/uuid` is `arn:…:topic/name/uuid/topic` for a topic. */
  #arn(kind: 'topic' | 'group', name: string): string {
    const [before, after] = [0, 1].map((i) => Fn.select(i, Fn.split(':cluster/', this.#clusterArn)));
    return `${before}:${kind}/${after}/${name}`;
  }
}

function statement(actions: readonly string[], resources: readonly string[]): iam.PolicyStatement {
  return new iam.PolicyStatement({
    actions: actions.map((action) => `kafka-cluster:${action}`),
    resources: [...resources],
  });
}
