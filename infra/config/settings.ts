import type { EnvironmentName, PresetName } from './environments.ts';
import type { ContextValues } from './read-context.ts';

/** What is deployed, with every choice made: what the context left open, the environment's preset says. */
export interface Settings {
  readonly environment: EnvironmentName;
  /** Starts the names of stacks and functions. */
  readonly prefix: string;
  readonly network: NetworkSettings;
  readonly kafka: KafkaSettings;
  readonly database: DatabaseSettings;
  readonly options: Options;
}

export type NetworkSettings =
  /** Functions run outside any VPC: on an emulator, whose servers are all on one machine. */
  | { readonly kind: 'none' }
  | {
      readonly kind: 'new';
      readonly cidr: string;
      readonly zones: number;
      readonly zoneNames: readonly string[] | undefined;
      readonly natGateways: number;
      readonly interfaceEndpoints: boolean;
    }
  | {
      readonly kind: 'existing';
      readonly vpcId: string;
      readonly availabilityZones: readonly string[];
      readonly privateSubnetIds: readonly string[];
    };

export type KafkaSettings =
  | {
      readonly kind: 'express' | 'standard';
      readonly brokerType: string;
      readonly brokersPerZone: number;
      readonly version: string;
      readonly storageGib: number;
      readonly replication: number;
    }
  | { readonly kind: 'serverless'; readonly replication: number }
  | {
      readonly kind: 'existing';
      readonly clusterArn: string;
      readonly securityGroupId: string;
      readonly replication: number;
    }
  /** By their addresses, without authentication: for an emulator. */
  | { readonly kind: 'brokers'; readonly brokers: readonly string[]; readonly replication: number };

export type DatabaseSettings =
  | {
      readonly kind: 'aurora-serverless';
      readonly minAcu: number;
      readonly maxAcu: number;
      readonly readers: number;
      readonly backupDays: number;
    }
  | {
      readonly kind: 'instance';
      readonly instanceType: string;
      readonly storageGib: number;
      readonly backupDays: number;
    }
  | {
      readonly kind: 'existing';
      readonly clusterIdentifier: string;
      readonly endpoint: string;
      readonly resourceId: string;
      readonly securityGroupId: string;
      readonly secretArn: string;
    }
  /** One address for all, password included: for an emulator. */
  | { readonly kind: 'url'; readonly url: string };

/** What needs no grouping, by its context name. Those that every preset has are always there. */
export type Options = { readonly [Name in PresetName]: NonNullable<ContextValues[Name]> } & {
  readonly [Name in keyof ContextValues]?: NonNullable<ContextValues[Name]>;
};
