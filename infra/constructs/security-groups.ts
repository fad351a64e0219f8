import * as ec2 from 'aws-cdk-lib/aws-ec2';
import { Construct } from 'constructs';
import type { FunctionProfile } from '../config/function-profiles.ts';
import type { DatabaseSettings, KafkaSettings } from '../config/settings.ts';

/** MSK's port for clients that authenticate by IAM. */
const KAFKA_PORT = ec2.Port.tcp(9098);
const POSTGRES_PORT = ec2.Port.tcp(5432);
const HTTPS_PORT = ec2.Port.tcp(443);

export interface SecurityGroupsProps {
  readonly kafka: KafkaSettings;
  readonly database: DatabaseSettings;
  /** URLs of the registry of agents and of tokens' keys, which may be at any address and on a port of their own. */
  readonly asked: readonly (string | undefined)[];
}

/** Who may speak to whom, by role and port. All rules are here, so that no stack has to reach into another. */
export class SecurityGroups extends Construct {
  readonly functions: Readonly<Record<FunctionProfile['reaches'], ec2.ISecurityGroup>>;
  readonly brokers: ec2.ISecurityGroup;
  readonly proxy: ec2.ISecurityGroup;
  readonly database: ec2.ISecurityGroup;
  readonly endpoints: ec2.ISecurityGroup;

  constructor(scope: Construct, id: string, vpc: ec2.IVpc, props: SecurityGroupsProps) {
    super(scope, id);
    const { kafka, database, asked } = props;
    const group = (name: string, description: string, allowAllOutbound = false) =>
      new ec2.SecurityGroup(this, name, { vpc, description, allowAllOutbound });
    const existing = (name: string, groupId: string) =>
      ec2.SecurityGroup.fromSecurityGroupId(this, name, groupId);

    this.functions = {
      services: group('Functions', 'Functions that reach Kafka, the proxy and AWS services'),
      agents: group('AgentCallers', 'Functions that also call agents, at any address and port', true),
      database: group('Migrate', 'The function that migrates, directly on the database'),
    };
    this.brokers =
      kafka.kind === 'existing'
        ? existing('Brokers', kafka.securityGroupId)
        : group('Brokers', 'Kafka brokers, and the pollers of the mappings');
    this.proxy = group('Proxy', 'RDS Proxy');
    this.database =
      database.kind === 'existing'
        ? existing('Database', database.securityGroupId)
        : group('Database', 'The database');
    this.endpoints = group('Endpoints', 'AWS services, by their endpoints in the private subnets');

    for (const from of Object.values(this.functions)) {
      this.#allow(from, this.brokers, KAFKA_PORT, 'Kafka with IAM');
      this.#allow(from, this.endpoints, HTTPS_PORT, 'AWS services');
    }
    this.#allow(this.functions.services, this.proxy, POSTGRES_PORT, 'PostgreSQL');
    this.#allow(this.functions.agents, this.proxy, POSTGRES_PORT, 'PostgreSQL');
    this.#allow(this.functions.database, this.database, POSTGRES_PORT, 'Migrations');
    this.#allow(this.proxy, this.database, POSTGRES_PORT, 'PostgreSQL');
    for (const from of [this.functions.services, this.functions.database])
      from.addEgressRule(ec2.Peer.anyIpv4(), HTTPS_PORT, 'AWS services and key sets by NAT');

    for (const port of new Set(asked.map(portOf))) {
      if (port !== 443)
        this.functions.services.addEgressRule(
          ec2.Peer.anyIpv4(),
          ec2.Port.tcp(port),
          'The registry of agents, or the keys of tokens',
        );
    }

    // A mapping's pollers get network interfaces in the brokers' own group, and speak to brokers, Lambda and STS from there.
    this.#allow(this.brokers, this.brokers, KAFKA_PORT, 'Pollers of the mappings');
    this.#allow(this.brokers, this.endpoints, HTTPS_PORT, 'Pollers of the mappings');
    this.brokers.addEgressRule(ec2.Peer.anyIpv4(), HTTPS_PORT, 'Pollers of the mappings, by NAT');
  }

  #allow(from: ec2.ISecurityGroup, to: ec2.ISecurityGroup, port: ec2.Port, why: string): void {
    to.addIngressRule(from, port, why);
    if (!from.allowAllOutbound) from.addEgressRule(to, port, why);
  }
}

function portOf(url: string | undefined): number {
  if (url === undefined) return 443;
  const { port, protocol } = new URL(url);
  return Number(port || (protocol === 'https:' ? 443 : 80));
}
