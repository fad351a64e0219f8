import { Fn, RemovalPolicy } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as logs from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import type { NetworkSettings } from '../config/settings.ts';
import { asVpc } from './as-interface.ts';

type NewNetwork = Extract<NetworkSettings, { kind: 'new' }>;
type ExistingNetwork = Extract<NetworkSettings, { kind: 'existing' }>;

/** Of functions, brokers, proxy and database alike: private, with a way out by NAT, since HTTP agents are outside. */
export const privateSubnets: ec2.SubnetSelection = { subnetType: ec2.SubnetType.PRIVATE_WITH_EGRESS };

/** The VPC that everything but the API's front runs in. */
export class Network extends Construct {
  readonly vpc: ec2.IVpc;

  constructor(
    scope: Construct,
    id: string,
    network: NewNetwork | ExistingNetwork,
    retention: logs.RetentionDays,
  ) {
    super(scope, id);
    this.vpc = network.kind === 'new' ? this.#makeVpc(network, retention) : this.#takeVpc(network);
  }

  #makeVpc({ cidr, zones, zoneNames, natGateways }: NewNetwork, retention: logs.RetentionDays): ec2.IVpc {
    const vpc = new ec2.Vpc(this, 'Vpc', {
      ipAddresses: ec2.IpAddresses.cidr(cidr),
      // Left to itself, the toolkit gives a stack for any region two zones.
      availabilityZones: zoneNames
        ? [...zoneNames]
        : Array.from({ length: zones }, (_, i) => Fn.select(i, Fn.getAzs())),
      natGateways,
      subnetConfiguration: [
        { name: 'public', subnetType: ec2.SubnetType.PUBLIC, cidrMask: 24, mapPublicIpOnLaunch: false },
        { name: 'private', subnetType: ec2.SubnetType.PRIVATE_WITH_EGRESS, cidrMask: 20 },
      ],
      gatewayEndpoints: { S3: { service: ec2.GatewayVpcEndpointAwsService.S3 } },
      // To empty the default group takes a function of its own; nothing here is in that group.
      restrictDefaultSecurityGroup: false,
    });
    const logGroup = new logs.LogGroup(this, 'RejectedTraffic', {
      retention,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    vpc.addFlowLog('FlowLog', {
      destination: ec2.FlowLogDestination.toCloudWatchLogs(logGroup),
      trafficType: ec2.FlowLogTrafficType.REJECT,
    });
    return asVpc(vpc);
  }

  /** By its attributes: to look it up would need an account at synth. */
  #takeVpc({ vpcId, availabilityZones, privateSubnetIds }: ExistingNetwork): ec2.IVpc {
    return ec2.Vpc.fromVpcAttributes(this, 'Vpc', {
      vpcId,
      availabilityZones: [...availabilityZones],
      privateSubnetIds: [...privateSubnetIds],
    });
  }
}
