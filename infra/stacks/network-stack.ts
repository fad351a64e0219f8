import { Stack } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import type { Construct } from 'constructs';
import { retentionOf } from '../config/retention.ts';
import type { Settings } from '../config/settings.ts';
import { Network, privateSubnets } from '../constructs/network.ts';
import { SecurityGroups } from '../constructs/security-groups.ts';

/** What the functions, and the pollers of their mappings, ask AWS for. */
const services = {
  SecretsManager: ec2.InterfaceVpcEndpointAwsService.SECRETS_MANAGER,
  Lambda: ec2.InterfaceVpcEndpointAwsService.LAMBDA,
  Sts: ec2.InterfaceVpcEndpointAwsService.STS,
};

export class NetworkStack extends Stack {
  readonly vpc: ec2.IVpc;
  readonly groups: SecurityGroups;

  constructor(scope: Construct, id: string, settings: Settings) {
    super(scope, id, { stackName: `${settings.prefix}-network`, description: 'Stepline: the network' });
    const { network, kafka, database, options } = settings;
    if (network.kind === 'none') throw new Error('An environment without a network has no network stack');
    this.vpc = new Network(this, 'Network', network, retentionOf(options.logRetentionDays)).vpc;
    this.groups = new SecurityGroups(this, 'SecurityGroups', this.vpc, {
      kafka,
      database,
      asked: [options.agentRegistryUrl, options.jwtJwksUrl],
    });
    if (network.kind === 'new' && network.interfaceEndpoints) this.#addEndpoints();
  }

  /** AWS without the NAT: it costs by the byte, and a zone that loses it keeps running. */
  #addEndpoints(): void {
    for (const [name, service] of Object.entries(services)) {
      new ec2.InterfaceVpcEndpoint(this, `${name}Endpoint`, {
        vpc: this.vpc,
        service,
        subnets: privateSubnets,
        securityGroups: [this.groups.endpoints],
        open: false,
      });
    }
  }
}
