import type { EnvironmentName } from '../config/environments.ts';
import { HOURS_A_MONTH, prices } from './prices.ts';
import type { Templates } from './templates.ts';

/** Something that is paid for each month whether a run is started or not. */
export interface FloorItem {
  readonly what: string;
  readonly amount: string;
  readonly dollars: number;
}

export function floorOf(environment: EnvironmentName, templates: Templates): FloorItem[] {
  return [
    ...networkFloor(templates),
    ...databaseFloor(templates),
    ...kafkaFloor(templates),
    ...functionsFloor(environment, templates),
    ...watchingFloor(templates),
  ].filter(({ dollars }) => dollars > 0);
}

const monthly = (hourly: number) => hourly * HOURS_A_MONTH;

function networkFloor(templates: Templates): FloorItem[] {
  const gateways = templates.count('AWS::EC2::NatGateway');
  const interfaces = templates
    .all('AWS::EC2::VPCEndpoint')
    .filter(({ VpcEndpointType }) => VpcEndpointType === 'Interface')
    .flatMap(({ SubnetIds }) => SubnetIds as unknown[]).length;
  return [
    { what: 'NAT gateways', amount: `${gateways}`, dollars: monthly(gateways * prices.natGatewayHour) },
    {
      what: 'Interface endpoints, in each zone',
      amount: `${interfaces}`,
      dollars: monthly(interfaces * prices.interfaceEndpointHour),
    },
  ];
}

function databaseFloor(templates: Templates): FloorItem[] {
  const instances = templates.count('AWS::RDS::DBInstance');
  const units = templates.all('AWS::RDS::DBCluster').reduce((sum, cluster) => {
    const { MinCapacity } = cluster.ServerlessV2ScalingConfiguration as { MinCapacity: number };
    return sum + MinCapacity * instances;
  }, 0);
  const proxyUnits = Math.max(units, prices.proxyMinimumCapacityUnits) * templates.count('AWS::RDS::DBProxy');
  return [
    {
      what: 'Aurora, at its minimum capacity',
      amount: `${units} ACU`,
      dollars: monthly(units * prices.auroraCapacityUnitHour),
    },
    {
      what: 'RDS Proxy',
      amount: `${proxyUnits} ACU`,
      dollars: monthly(proxyUnits * prices.proxyCapacityUnitHour),
    },
  ];
}

function kafkaFloor(templates: Templates): FloorItem[] {
  const brokers = templates.all('AWS::MSK::Cluster').map((cluster) => {
    const { InstanceType, StorageInfo } = cluster.BrokerNodeGroupInfo as {
      InstanceType: string;
      StorageInfo?: { EBSStorageInfo: { VolumeSize: number } };
    };
    const hourly = prices.brokerHour[InstanceType];
    if (hourly === undefined) throw new Error(`prices.ts has no price of ${InstanceType}`);
    const count = Number(cluster.NumberOfBrokerNodes);
    const gib = count * (StorageInfo?.EBSStorageInfo.VolumeSize ?? 0);
    return [
      { what: 'Kafka brokers', amount: `${count} ${InstanceType}`, dollars: monthly(count * hourly) },
      { what: 'Kafka storage', amount: `${gib} GiB`, dollars: gib * prices.brokerStorageGibMonth },
    ];
  });
  const groups = templates
    .all('AWS::Lambda::EventSourceMapping')
    .map(
      ({ ProvisionedPollerConfig }) =>
        (ProvisionedPollerConfig as { PollerGroupName: string }).PollerGroupName,
    );
  const units = new Set(groups).size;
  return [
    ...brokers.flat(),
    {
      what: 'Event pollers, shared by all mappings',
      amount: `${units} EPU`,
      dollars: monthly(units * prices.eventPollerUnitHour),
    },
  ];
}

/** The timekeeper runs all the time. */
function functionsFloor(environment: EnvironmentName, templates: Templates): FloorItem[] {
  const gib = templates.memoryOf(`stepline-${environment}-timekeeper`);
  return [
    {
      what: 'Timekeeper, always running',
      amount: `${gib} GiB`,
      dollars: monthly(gib * 3_600 * prices.lambdaGibSecond),
    },
    {
      what: 'Secrets',
      amount: `${templates.count('AWS::SecretsManager::Secret') + 1}`,
      // One more is the administrator's password, which RDS keeps.
      dollars: (templates.count('AWS::SecretsManager::Secret') + 1) * prices.secretMonth,
    },
  ];
}

function watchingFloor(templates: Templates): FloorItem[] {
  const watched = templates
    .all('AWS::CloudWatch::Alarm')
    .reduce((sum, { Metrics }) => sum + (Metrics ? Math.max(1, (Metrics as unknown[]).length - 1) : 1), 0);
  const rules = templates
    .all('AWS::WAFv2::WebACL')
    .reduce((sum, { Rules }) => sum + (Rules as unknown[]).length, 0);
  const gauges = 5;
  return [
    { what: 'Alarms, by watched metric', amount: `${watched}`, dollars: watched * prices.alarmMetricMonth },
    { what: 'Gauges', amount: `${gauges}`, dollars: gauges * prices.customMetricMonth },
    {
      what: 'Dashboard',
      amount: '1',
      dollars: templates.count('AWS::CloudWatch::Dashboard') * prices.dashboardMonth,
    },
    {
      what: 'Firewall',
      amount: `${rules} rules`,
      dollars: rules === 0 ? 0 : prices.firewallMonth + rules * prices.firewallRuleMonth,
    },
  ];
}
