import { RemovalPolicy } from 'aws-cdk-lib';
import * as autoscaling from 'aws-cdk-lib/aws-applicationautoscaling';
import type * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as msk from 'aws-cdk-lib/aws-msk';
import { Construct } from 'constructs';
import type { KafkaSettings } from '../config/settings.ts';
import { privateSubnets } from './network.ts';

type Provisioned = Extract<KafkaSettings, { kind: 'express' | 'standard' }>;
type Serverless = Extract<KafkaSettings, { kind: 'serverless' }>;

export interface KafkaClusterProps {
  readonly settings: Provisioned | Serverless;
  readonly name: string;
  readonly vpc: ec2.IVpc;
  readonly brokersGroup: ec2.ISecurityGroup;
  readonly retention: logs.RetentionDays;
  readonly removalPolicy: RemovalPolicy;
}

/** An MSK cluster whose clients authenticate by IAM over TLS and in no other way. */
export class KafkaCluster extends Construct {
  readonly arn: string;

  constructor(scope: Construct, id: string, props: KafkaClusterProps) {
    super(scope, id);
    const { settings } = props;
    const cluster =
      settings.kind === 'serverless' ? this.#serverless(props) : this.#provisioned(props, settings);
    cluster.applyRemovalPolicy(props.removalPolicy);
    this.arn = cluster.attrArn;
  }

  #serverless({ name, vpc, brokersGroup }: KafkaClusterProps): msk.CfnServerlessCluster {
    return new msk.CfnServerlessCluster(this, 'Serverless', {
      clusterName: name,
      clientAuthentication: { sasl: { iam: { enabled: true } } },
      vpcConfigs: [
        {
          subnetIds: vpc.selectSubnets(privateSubnets).subnetIds,
          securityGroups: [brokersGroup.securityGroupId],
        },
      ],
    });
  }

  #provisioned(
    { name, vpc, brokersGroup, retention }: KafkaClusterProps,
    settings: Provisioned,
  ): msk.CfnCluster {
    const { subnetIds } = vpc.selectSubnets(privateSubnets);
    const configuration = new msk.CfnConfiguration(this, 'Configuration', {
      name,
      kafkaVersionsList: [settings.version],
      serverProperties: serverPropertiesOf(settings),
    });
    const logGroup = new logs.LogGroup(this, 'BrokerLogs', {
      retention,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const cluster = new msk.CfnCluster(this, 'Provisioned', {
      clusterName: name,
      kafkaVersion: settings.version,
      numberOfBrokerNodes: settings.brokersPerZone * subnetIds.length,
      brokerNodeGroupInfo: {
        instanceType: settings.brokerType,
        clientSubnets: subnetIds,
        securityGroups: [brokersGroup.securityGroupId],
        // Express brokers' storage is MSK's own affair.
        ...(settings.kind === 'standard' && {
          storageInfo: { ebsStorageInfo: { volumeSize: settings.storageGib } },
        }),
      },
      clientAuthentication: { sasl: { iam: { enabled: true } }, unauthenticated: { enabled: false } },
      encryptionInfo: { encryptionInTransit: { clientBroker: 'TLS', inCluster: true } },
      configurationInfo: {
        arn: configuration.attrArn,
        revision: configuration.attrLatestRevisionRevision,
      },
      loggingInfo: { brokerLogs: { cloudWatchLogs: { enabled: true, logGroup: logGroup.logGroupName } } },
      enhancedMonitoring: 'PER_BROKER',
    });
    if (settings.kind === 'standard') this.#growStorage(cluster, settings.storageGib);
    return cluster;
  }

  /** A volume that is full stops a broker, and volumes never shrink: they grow when they are needed. */
  #growStorage(cluster: msk.CfnCluster, storageGib: number): void {
    const target = new autoscaling.ScalableTarget(this, 'Storage', {
      serviceNamespace: autoscaling.ServiceNamespace.KAFKA,
      resourceId: cluster.attrArn,
      scalableDimension: 'kafka:broker-storage:VolumeSize',
      minCapacity: 1,
      maxCapacity: storageGib * 10,
    });
    target.scaleToTrackMetric('StorageUsed', {
      predefinedMetric: autoscaling.PredefinedMetric.KAFKA_BROKER_STORAGE_UTILIZATION,
      targetValue: 70,
      disableScaleIn: true,
    });
  }
}

/** Topics are made by the migration and by nothing else. Express brokers replicate by themselves, three times and to two at once. */
function serverPropertiesOf({ kind, replication }: Provisioned): string {
  const properties = ['auto.create.topics.enable=false'];
  if (kind === 'standard') {
    properties.push(
      `default.replication.factor=${replication}`,
      // One broker of two zones is away whenever MSK patches it: with two of two nothing could be written then.
      `min.insync.replicas=${Math.min(2, replication - 1)}`,
      'unclean.leader.election.enable=false',
    );
  }
  return `${properties.join('\n')}\n`;
}
