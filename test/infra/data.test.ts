import { Match, type Template } from 'aws-cdk-lib/assertions';
import { describe, expect, test } from 'vitest';
import { deploy, propertiesOf } from './deployments.ts';

const prod = deploy({ env: 'prod' });
const dev = deploy({ env: 'dev' });

function removal(template: Template, type: string): unknown[] {
  return Object.values(template.findResources(type)).map(({ DeletionPolicy }) => DeletionPolicy);
}

describe('the database', () => {
  test('is encrypted, backed up, protected, watched, and takes TLS only', () => {
    prod.data.hasResourceProperties('AWS::RDS::DBCluster', {
      StorageEncrypted: true,
      BackupRetentionPeriod: 14,
      DeletionProtection: true,
      EnableIAMDatabaseAuthentication: true,
      ManageMasterUserPassword: true,
      MasterUserPassword: Match.absent(),
      CopyTagsToSnapshot: true,
      EnableCloudwatchLogsExports: ['postgresql'],
      ServerlessV2ScalingConfiguration: { MinCapacity: 1, MaxCapacity: 32 },
    });
    prod.data.hasResourceProperties('AWS::RDS::DBClusterParameterGroup', {
      Parameters: Match.objectLike({ 'rds.force_ssl': '1' }),
    });
    expect(propertiesOf(prod.data, 'AWS::RDS::DBInstance')).toEqual([
      expect.objectContaining({ EnablePerformanceInsights: true, PubliclyAccessible: false }),
      expect.objectContaining({
        EnablePerformanceInsights: true,
        PubliclyAccessible: false,
        PromotionTier: 1,
      }),
    ]);
    expect(removal(prod.data, 'AWS::RDS::DBCluster')).toEqual(['Snapshot']);
  });

  test('is never smaller than what the proxy keeps awake', () => {
    dev.data.hasResourceProperties('AWS::RDS::DBCluster', {
      ServerlessV2ScalingConfiguration: { MinCapacity: 0.5, MaxCapacity: 4 },
      DeletionProtection: false,
    });
  });

  test('is an instance in two zones by context, just as safe', () => {
    const { data } = deploy({ env: 'prod', database: 'instance' });
    data.hasResourceProperties('AWS::RDS::DBInstance', {
      DBInstanceClass: 'db.m7g.large',
      MultiAZ: true,
      StorageEncrypted: true,
      DeletionProtection: true,
      ManageMasterUserPassword: true,
      EnableIAMDatabaseAuthentication: true,
    });
  });

  test('is one that exists by context: a proxy is made for it, and nothing of it is', () => {
    const { data } = deploy({
      env: 'prod',
      database: 'existing',
      databaseClusterIdentifier: 'theirs',
      databaseEndpoint: 'theirs.cluster-abc.eu-west-1.rds.amazonaws.com',
      databaseResourceId: 'cluster-ABCDEFGHIJKLMNOPQRSTUVWXYZ',
      databaseSecurityGroupId: 'sg-0123456789abcdef0',
      databaseSecretArn: 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:theirs-AbCdEf',
    });
    data.resourceCountIs('AWS::RDS::DBCluster', 0);
    data.hasResourceProperties('AWS::RDS::DBProxyTargetGroup', { DBClusterIdentifiers: ['theirs'] });
  });
});

describe('Kafka', () => {
  test('takes IAM over TLS and nothing else, makes no topic by itself, and stays when its stack goes', () => {
    prod.kafka.hasResourceProperties('AWS::MSK::Cluster', {
      NumberOfBrokerNodes: 3,
      BrokerNodeGroupInfo: { InstanceType: 'express.m7g.large', StorageInfo: Match.absent() },
      ClientAuthentication: { Sasl: { Iam: { Enabled: true } }, Unauthenticated: { Enabled: false } },
      EncryptionInfo: { EncryptionInTransit: { ClientBroker: 'TLS', InCluster: true } },
    });
    prod.kafka.hasResourceProperties('AWS::MSK::Configuration', {
      ServerProperties: 'auto.create.topics.enable=false\n',
    });
    expect(removal(prod.kafka, 'AWS::MSK::Cluster')).toEqual(['Retain']);
  });

  test('on standard brokers replicates to every zone, and can lose one', () => {
    const { kafka } = deploy({ env: 'prod', kafka: 'standard', kafkaBrokerType: 'kafka.m7g.large' });
    kafka.hasResourceProperties('AWS::MSK::Configuration', {
      ServerProperties:
        'auto.create.topics.enable=false\ndefault.replication.factor=3\nmin.insync.replicas=2\nunclean.leader.election.enable=false\n',
    });
    kafka.hasResourceProperties('AWS::ApplicationAutoScaling::ScalableTarget', {
      ScalableDimension: 'kafka:broker-storage:VolumeSize',
      MaxCapacity: 2_000,
    });
    dev.kafka.hasResourceProperties('AWS::MSK::Configuration', {
      ServerProperties: Match.stringLikeRegexp('default.replication.factor=2\nmin.insync.replicas=1\n'),
    });
  });

  test('is serverless or existing by context', () => {
    const { kafka } = deploy({ env: 'dev', kafka: 'serverless' });
    kafka.hasResourceProperties('AWS::MSK::ServerlessCluster', {
      ClientAuthentication: { Sasl: { Iam: { Enabled: true } } },
    });
    const arn = 'arn:aws:kafka:eu-west-1:111122223333:cluster/theirs/uuid-1';
    const existing = deploy({
      env: 'dev',
      kafka: 'existing',
      kafkaClusterArn: arn,
      kafkaSecurityGroupId: 'sg-0123456789abcdef0',
    });
    existing.kafka.resourceCountIs('AWS::MSK::Cluster', 0);
    existing.functions.hasResourceProperties('AWS::Lambda::EventSourceMapping', { EventSourceArn: arn });
  });

  test('tells its brokers’ addresses at deployment', () => {
    const [lookup] = Object.values(prod.kafka.findResources('Custom::AWS'));
    expect(JSON.stringify(lookup?.Properties.Create)).toContain('getBootstrapBrokers');
  });
});

describe('secrets', () => {
  test('are made at random, and stay', () => {
    expect(
      propertiesOf(prod.data, 'AWS::SecretsManager::Secret').map(({ Name, SecretString }) => [
        Name,
        SecretString,
      ]),
    ).toEqual([
      ['stepline-prod/secret-key', undefined],
      ['stepline-prod/admin-key', undefined],
    ]);
    expect(removal(prod.data, 'AWS::SecretsManager::Secret')).toEqual(['Retain', 'Retain']);
    expect(removal(dev.data, 'AWS::SecretsManager::Secret')).toEqual(['Delete', 'Delete']);
  });

  test('hold enough for a key: what is made decodes to 32 bytes or more', () => {
    const ascii = Array.from({ length: 127 - 33 }, (_, i) => String.fromCharCode(33 + i));
    const excluded = ascii.filter((character) => !/[a-z0-9]/i.test(character)).join('');
    prod.data.hasResourceProperties('AWS::SecretsManager::Secret', {
      GenerateSecretString: { PasswordLength: 44, ExcludeCharacters: excluded },
    });
    expect(Buffer.from('aB3'.repeat(15).slice(0, 44), 'base64').length).toBe(33);
  });
});

test('an ordinary update replaces nothing that holds data: their logical ids are these', () => {
  const ids = (template: Template, type: string) => Object.keys(template.findResources(type));
  expect([
    ...ids(prod.data, 'AWS::RDS::DBCluster'),
    ...ids(prod.data, 'AWS::SecretsManager::Secret'),
    ...ids(prod.kafka, 'AWS::MSK::Cluster'),
    ...ids(prod.network, 'AWS::EC2::VPC'),
    ...ids(prod.functions, 'AWS::ApiGateway::RestApi'),
  ]).toMatchInlineSnapshot(`
    [
      "DatabaseCluster5B53A178",
      "SecretKey573D36D8",
      "AdminKeyC19094DA",
      "ClusterProvisioned01E2BCEA",
      "NetworkVpc7FB7348F",
      "RestApi135E9C73",
    ]
  `);
});
