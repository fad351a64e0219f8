import { ArnFormat, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import type * as ec2 from 'aws-cdk-lib/aws-ec2';
import { InstanceType } from 'aws-cdk-lib/aws-ec2';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as rds from 'aws-cdk-lib/aws-rds';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import type { DatabaseSettings } from '../config/settings.ts';
import { acknowledge } from './acknowledge.ts';
import { privateSubnets } from './network.ts';

export type ManagedDatabase = Exclude<DatabaseSettings, { kind: 'url' }>;

export interface DatabaseProps {
  readonly settings: ManagedDatabase;
  readonly name: string;
  readonly vpc: ec2.IVpc;
  readonly databaseGroup: ec2.ISecurityGroup;
  readonly proxyGroup: ec2.ISecurityGroup;
  readonly databaseUsers: readonly string[];
  readonly deletionProtection: boolean;
  readonly retention: logs.RetentionDays;
}

export const DATABASE_NAME = 'stepline';

const parameters = {
  'rds.force_ssl': '1',
  log_min_duration_statement: '500',
  log_lock_waits: '1',
  // Rows are short-lived and change often.
  autovacuum_vacuum_scale_factor: '0.05',
};

/** What is behind the proxy, by what a function or the migration needs of it. */
interface Server {
  readonly target: rds.ProxyTarget;
  readonly endpoint: string;
  /** In the ARNs of its users. */
  readonly resourceId: string;
  readonly administrator: secretsmanager.ISecret;
}

/**
 * PostgreSQL behind RDS Proxy. Functions authenticate by their roles all the way to the database, so there is no password of
 * theirs anywhere; the administrator's is made, kept and rotated by RDS.
 */
export class Database extends Construct {
  readonly proxy: rds.DatabaseProxy;
  readonly server: Server;

  constructor(scope: Construct, id: string, props: DatabaseProps) {
    super(scope, id);
    this.server = this.#serverOf(props);
    this.proxy = new rds.DatabaseProxy(this, 'Proxy', {
      proxyTarget: this.server.target,
      defaultAuthScheme: rds.DefaultAuthScheme.IAM_AUTH,
      role: this.#proxyRole(props.databaseUsers),
      requireTLS: true,
      vpc: props.vpc,
      vpcSubnets: privateSubnets,
      securityGroups: [props.proxyGroup],
      // A Lambda that is frozen keeps its connection; it costs the proxy little, and the database nothing.
      idleClientTimeout: Duration.minutes(30),
      // The rest is for the migration and for people.
      maxConnectionsPercent: 90,
      borrowTimeout: Duration.seconds(5),
    });
  }

  /** The proxy comes to the database as the user that came to it. */
  #proxyRole(databaseUsers: readonly string[]): iam.Role {
    const role = new iam.Role(this, 'ProxyRole', {
      assumedBy: new iam.ServicePrincipal('rds.amazonaws.com'),
    });
    role.addToPolicy(
      new iam.PolicyStatement({
        actions: ['rds-db:connect'],
        resources: databaseUsers.map((user) => userArn(this, this.server.resourceId, user)),
      }),
    );
    return role;
  }

  #serverOf(props: DatabaseProps): Server {
    switch (props.settings.kind) {
      case 'aurora-serverless':
        return this.#aurora(props, props.settings);
      case 'instance':
        return this.#instance(props, props.settings);
      case 'existing':
        return this.#existing(props, props.settings);
    }
  }

  #aurora(
    { name, vpc, databaseGroup, deletionProtection, retention }: DatabaseProps,
    settings: Extract<ManagedDatabase, { kind: 'aurora-serverless' }>,
  ): Server {
    const log = this.#logGroup(`/aws/rds/cluster/${name}/postgresql`, retention);
    const instance = { enablePerformanceInsights: true, publiclyAccessible: false };
    const cluster = new rds.DatabaseCluster(this, 'Cluster', {
      clusterIdentifier: name,
      engine: rds.DatabaseClusterEngine.auroraPostgres({ version: rds.AuroraPostgresEngineVersion.VER_17_7 }),
      writer: rds.ClusterInstance.serverlessV2('Writer', instance),
      readers: Array.from({ length: settings.readers }, (_, i) =>
        // The first takes over where the writer is lost, and must be as large.
        rds.ClusterInstance.serverlessV2(`Reader${i + 1}`, { ...instance, scaleWithWriter: i === 0 }),
      ),
      serverlessV2MinCapacity: settings.minAcu,
      serverlessV2MaxCapacity: settings.maxAcu,
      credentials: rds.Credentials.fromUsername('stepline_admin'),
      manageMasterUserPassword: true,
      defaultDatabaseName: DATABASE_NAME,
      vpc,
      vpcSubnets: privateSubnets,
      securityGroups: [databaseGroup],
      iamAuthentication: true,
      storageEncrypted: true,
      parameters,
      backup: { retention: Duration.days(settings.backupDays) },
      copyTagsToSnapshot: true,
      deletionProtection,
      removalPolicy: RemovalPolicy.SNAPSHOT,
      cloudwatchLogsExports: ['postgresql'],
    });
    cluster.node.addDependency(log);
    acknowledge(cluster, reasonsFor(deletionProtection));
    return {
      target: rds.ProxyTarget.fromCluster(cluster),
      endpoint: cluster.clusterEndpoint.hostname,
      resourceId: cluster.clusterResourceIdentifier,
      administrator: secretOf(cluster.secret),
    };
  }

  #instance(
    { name, vpc, databaseGroup, deletionProtection, retention }: DatabaseProps,
    settings: Extract<ManagedDatabase, { kind: 'instance' }>,
  ): Server {
    const log = this.#logGroup(`/aws/rds/instance/${name}/postgresql`, retention);
    const instance = new rds.DatabaseInstance(this, 'Instance', {
      instanceIdentifier: name,
      engine: rds.DatabaseInstanceEngine.postgres({ version: rds.PostgresEngineVersion.VER_17_9 }),
      instanceType: new InstanceType(settings.instanceType),
      multiAz: true,
      allocatedStorage: settings.storageGib,
      maxAllocatedStorage: settings.storageGib * 10,
      storageType: rds.StorageType.GP3,
      storageEncrypted: true,
      credentials: rds.Credentials.fromUsername('stepline_admin'),
      manageMasterUserPassword: true,
      databaseName: DATABASE_NAME,
      vpc,
      vpcSubnets: privateSubnets,
      securityGroups: [databaseGroup],
      iamAuthentication: true,
      parameters,
      backupRetention: Duration.days(settings.backupDays),
      copyTagsToSnapshot: true,
      enablePerformanceInsights: true,
      deletionProtection,
      removalPolicy: RemovalPolicy.SNAPSHOT,
      cloudwatchLogsExports: ['postgresql'],
    });
    instance.node.addDependency(log);
    acknowledge(instance, reasonsFor(deletionProtection));
    return {
      target: rds.ProxyTarget.fromInstance(instance),
      endpoint: instance.dbInstanceEndpointAddress,
      resourceId: instance.instanceResourceId ?? '',
      administrator: secretOf(instance.secret),
    };
  }

  /** Before RDS makes it itself, to be kept for ever. */
  #logGroup(logGroupName: string, retention: logs.RetentionDays): logs.LogGroup {
    return new logs.LogGroup(this, 'Logs', { logGroupName, retention, removalPolicy: RemovalPolicy.DESTROY });
  }

  #existing(
    { databaseGroup }: DatabaseProps,
    settings: Extract<ManagedDatabase, { kind: 'existing' }>,
  ): Server {
    const cluster = rds.DatabaseCluster.fromDatabaseClusterAttributes(this, 'Cluster', {
      clusterIdentifier: settings.clusterIdentifier,
      clusterEndpointAddress: settings.endpoint,
      clusterResourceIdentifier: settings.resourceId,
      port: 5432,
      securityGroups: [databaseGroup],
      engine: rds.DatabaseClusterEngine.auroraPostgres({ version: rds.AuroraPostgresEngineVersion.VER_17_7 }),
    });
    return {
      target: rds.ProxyTarget.fromCluster(cluster),
      endpoint: settings.endpoint,
      resourceId: settings.resourceId,
      administrator: secretsmanager.Secret.fromSecretCompleteArn(this, 'Administrator', settings.secretArn),
    };
  }
}

function reasonsFor(deletionProtection: boolean): Record<string, string> {
  return {
    'AwsSolutions-RDS11':
      'Only the proxy’s and the migration’s security groups reach the port: another number would hide nothing.',
    ...(!deletionProtection && {
      'AwsSolutions-RDS10': 'An environment that is made to be thrown away; it leaves a snapshot.',
    }),
  };
}

function secretOf(secret: secretsmanager.ISecret | undefined): secretsmanager.ISecret {
  if (secret === undefined) throw new Error('RDS was told to keep the administrator’s password in a secret');
  return secret;
}

/** Of a database user of a proxy or of a database, by the resource's own id. */
export function userArn(scope: Construct, resourceId: string, user: string): string {
  return Stack.of(scope).formatArn({
    service: 'rds-db',
    resource: 'dbuser',
    resourceName: `${resourceId}/${user}`,
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  });
}
