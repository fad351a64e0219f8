import type { ContextName } from './context-fields.ts';
import { type EnvironmentName, environmentNames, presets } from './environments.ts';
import { ContextError, type ContextValues, problemOf, readContext } from './read-context.ts';
import type { DatabaseSettings, KafkaSettings, NetworkSettings, Settings } from './settings.ts';

type Values = Partial<ContextValues>;
type Context = Readonly<Record<string, unknown>>;

/**
 * The settings of a deployment, from the CDK context.
 * @throws ContextError naming each value that is missing or wrong, what is allowed, and an example
 */
export function readSettings(context: Context): Settings {
  const environment = environmentOf(context);
  const { values: given, problems } = readContext(context);
  const values = { ...presets[environment], ...given };
  const required = new RequiredValues(values, problems);
  checkTogether(values, problems);
  const network = networkOf(environment, given, required);
  const settings: Settings = {
    environment,
    prefix: `stepline-${environment}`,
    network,
    kafka: kafkaOf(environment, required, zonesOf(network)),
    database: databaseOf(environment, required),
    options: withoutUndefined(values) as Settings['options'],
  };
  if (problems.length > 0) throw new ContextError(problems);
  return settings;
}

function environmentOf({ env = 'dev' }: Context): EnvironmentName {
  const name = environmentNames.find((each) => each === env);
  if (name !== undefined) return name;
  throw new ContextError([
    `env: expected one of ${environmentNames.join(', ')}, but it is ${JSON.stringify(env)}. Example: -c env=prod`,
  ]);
}

/** Collects what is missing, so that one synth tells of all. */
class RequiredValues {
  readonly #values: Values;
  readonly #problems: string[];

  constructor(values: Values, problems: string[]) {
    this.#values = values;
    this.#problems = problems;
  }

  /** The value. What is missing is noted; nobody sees what stands in for it. */
  get<Name extends ContextName>(name: Name): NonNullable<ContextValues[Name]> {
    const value = this.#values[name];
    if (value === undefined) noteMissing(name, this.#problems);
    return value as NonNullable<ContextValues[Name]>;
  }

  find<Name extends ContextName>(name: Name): Values[Name] {
    return this.#values[name];
  }
}

/** Unless it is there and wrong, which is noted already. */
function noteMissing(name: ContextName, problems: string[]): void {
  if (!problems.some((problem) => problem.startsWith(`${name}:`))) problems.push(problemOf(name));
}

function networkOf(environment: EnvironmentName, given: Values, required: RequiredValues): NetworkSettings {
  if (environment === 'local') return { kind: 'none' };
  if (given.vpcId === undefined && given.vpcPrivateSubnetIds === undefined) {
    return {
      kind: 'new',
      cidr: required.get('vpcCidr'),
      zones: required.get('zones'),
      zoneNames: required.find('vpcAvailabilityZones'),
      natGateways: required.get('natGateways'),
      interfaceEndpoints: required.get('interfaceEndpoints'),
    };
  }
  return {
    kind: 'existing',
    vpcId: required.get('vpcId'),
    availabilityZones: required.get('vpcAvailabilityZones'),
    privateSubnetIds: required.get('vpcPrivateSubnetIds'),
  };
}

function zonesOf(network: NetworkSettings): number {
  if (network.kind === 'none') return 1;
  if (network.kind === 'new') return network.zones;
  // Missing ones are noted already, and nobody sees what comes of them.
  return network.availabilityZones?.length ?? 0;
}

function kafkaOf(environment: EnvironmentName, required: RequiredValues, zones: number): KafkaSettings {
  if (environment === 'local')
    return { kind: 'brokers', brokers: required.get('kafkaBootstrapBrokers'), replication: 1 };
  const kind = required.get('kafka');
  if (kind === 'serverless') return { kind, replication: 3 };
  if (kind === 'existing') {
    const clusterArn = required.get('kafkaClusterArn');
    return { kind, clusterArn, securityGroupId: required.get('kafkaSecurityGroupId'), replication: 3 };
  }
  return {
    kind,
    brokerType: required.get('kafkaBrokerType'),
    brokersPerZone: required.get('kafkaBrokersPerZone'),
    version: required.get('kafkaVersion'),
    storageGib: required.get('kafkaStorageGib'),
    replication: Math.min(3, zones),
  };
}

function databaseOf(environment: EnvironmentName, required: RequiredValues): DatabaseSettings {
  if (environment === 'local') return { kind: 'url', url: required.get('databaseUrl') };
  const kind = required.get('database');
  switch (kind) {
    case 'existing':
      return {
        kind,
        clusterIdentifier: required.get('databaseClusterIdentifier'),
        endpoint: required.get('databaseEndpoint'),
        resourceId: required.get('databaseResourceId'),
        securityGroupId: required.get('databaseSecurityGroupId'),
        secretArn: required.get('databaseSecretArn'),
      };
    case 'instance':
      return {
        kind,
        instanceType: required.get('databaseInstanceType'),
        storageGib: required.get('databaseStorageGib'),
        backupDays: required.get('databaseBackupDays'),
      };
    default:
      return {
        kind: 'aurora-serverless',
        minAcu: required.get('databaseMinAcu'),
        maxAcu: required.get('databaseMaxAcu'),
        readers: required.get('databaseReaders'),
        backupDays: required.get('databaseBackupDays'),
      };
  }
}

/** What is right by itself and wrong beside another. */
function checkTogether(values: Values, problems: string[]): void {
  const {
    vpcPrivateSubnetIds: subnets,
    vpcAvailabilityZones: zones,
    kafka,
    kafkaBrokerType: broker,
  } = values;
  if (subnets && zones && subnets.length % zones.length !== 0) {
    problems.push(
      `vpcPrivateSubnetIds: expected as many for each of the ${zones.length} vpcAvailabilityZones, but they are ${subnets.length}`,
    );
  }
  const family = kafka === 'standard' ? 'kafka.' : 'express.';
  if ((kafka === 'standard' || kafka === 'express') && broker && !broker.startsWith(family)) {
    const example = kafka === 'standard' ? 'kafka.m7g.large' : 'express.m7g.large';
    problems.push(
      `kafkaBrokerType: expected one that starts with ${family} beside kafka=${kafka}, but it is "${broker}". Example: -c kafkaBrokerType=${example}`,
    );
  }
  const zoneCount = subnets ? zones?.length : values.zones;
  if (kafka === 'express' && zoneCount !== undefined && zoneCount < 3) {
    const [name, example] = subnets
      ? ['vpcAvailabilityZones', 'eu-west-1a,eu-west-1b,eu-west-1c']
      : ['zones', '3'];
    problems.push(
      `${name}: expected three zones beside kafka=express, whose brokers are in three, but there are ${zoneCount}. Example: -c ${name}=${example}`,
    );
  }
  if (
    values.databaseMinAcu !== undefined &&
    values.databaseMaxAcu !== undefined &&
    values.databaseMinAcu > values.databaseMaxAcu
  )
    problems.push(
      `databaseMinAcu: expected at most databaseMaxAcu, ${values.databaseMaxAcu}, but it is ${values.databaseMinAcu}`,
    );
  if (values.tracing === 'adot' && values.adotLayerArn === undefined) noteMissing('adotLayerArn', problems);
  if (values.tracing !== 'adot' && values.adotLayerArn !== undefined)
    problems.push(
      `tracing: expected adot beside adotLayerArn, but it is ${JSON.stringify(values.tracing)}. Example: -c tracing=adot`,
    );
  if ((values.apiDomainName === undefined) !== (values.apiCertificateArn === undefined))
    noteMissing(values.apiDomainName === undefined ? 'apiDomainName' : 'apiCertificateArn', problems);
}

function withoutUndefined(values: Values): Values {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}
