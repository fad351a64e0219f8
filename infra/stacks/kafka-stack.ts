import { RemovalPolicy, Stack } from 'aws-cdk-lib';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as custom from 'aws-cdk-lib/custom-resources';
import type { Construct } from 'constructs';
import { retentionOf } from '../config/retention.ts';
import type { KafkaSettings, Settings } from '../config/settings.ts';
import { acknowledge } from '../constructs/acknowledge.ts';
import { KafkaCluster } from '../constructs/kafka-cluster.ts';
import type { NetworkStack } from './network-stack.ts';

export class KafkaStack extends Stack {
  readonly clusterArn: string;
  /** host:port, with commas. */
  readonly brokers: string;

  constructor(scope: Construct, id: string, settings: Settings, network: NetworkStack) {
    super(scope, id, {
      stackName: `${settings.prefix}-kafka`,
      description: 'Stepline: Kafka',
      terminationProtection: settings.options.deletionProtection,
    });
    this.clusterArn = this.#clusterArnOf(settings, network);
    this.brokers = this.#lookUpBrokers(settings.kafka, retentionOf(settings.options.logRetentionDays));
  }

  #clusterArnOf({ kafka, prefix, options }: Settings, network: NetworkStack): string {
    if (kafka.kind === 'brokers') throw new Error('Brokers that are named by their addresses need no stack');
    if (kafka.kind === 'existing') return kafka.clusterArn;
    const cluster = new KafkaCluster(this, 'Cluster', {
      settings: kafka,
      name: prefix,
      vpc: network.vpc,
      brokersGroup: network.groups.brokers,
      retention: retentionOf(options.logRetentionDays),
      removalPolicy: options.deletionProtection ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    });
    return cluster.arn;
  }

  /**
   * CloudFormation does not tell the addresses of a cluster's brokers. They are looked up at deployment: MSK takes few such calls
   * a second, and a burst of cold starts would be many.
   */
  #lookUpBrokers(kafka: KafkaSettings, retention: logs.RetentionDays): string {
    const call: custom.AwsSdkCall = {
      service: 'Kafka',
      action: 'getBootstrapBrokers',
      parameters: { ClusterArn: this.clusterArn },
      outputPaths: ['BootstrapBrokerStringSaslIam'],
      // Another number of brokers is another look.
      physicalResourceId: custom.PhysicalResourceId.of(`brokers-${JSON.stringify(kafka)}`),
    };
    const lookup = new custom.AwsCustomResource(this, 'BootstrapBrokers', {
      onUpdate: call,
      policy: custom.AwsCustomResourcePolicy.fromSdkCalls({ resources: [this.clusterArn] }),
      installLatestAwsSdk: false,
      logGroup: new logs.LogGroup(this, 'LookupLogs', { retention, removalPolicy: RemovalPolicy.DESTROY }),
    });
    // Where the toolkit puts the one function of all such look-ups.
    for (const provider of this.node.children.filter(({ node }) => node.id.startsWith('AWS'))) {
      acknowledge(provider, {
        'AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole]':
          'The toolkit’s own function, at deployments only: it writes its log.',
        'AwsSolutions-L1': 'The toolkit’s own function: the toolkit sees to its runtime.',
        'Serverless-LambdaDefaultMemorySize': 'The toolkit’s own function: one call of MSK at a deployment.',
        'Serverless-LambdaDLQ': 'CloudFormation waits for its answer.',
        'Serverless-LambdaTracing': 'The toolkit’s own function, at deployments only.',
        'Serverless-LambdaLatestVersion': 'The toolkit’s own function: the toolkit sees to its runtime.',
      });
    }
    return lookup.getResponseField('BootstrapBrokerStringSaslIam');
  }
}
