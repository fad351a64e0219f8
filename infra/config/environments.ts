import type { ContextValues } from './read-context.ts';

export const environmentNames = ['local', 'dev', 'prod'] as const;

export type EnvironmentName = (typeof environmentNames)[number];

const everywhere = {
  stepBatchSize: 1,
  bridgeBatchSize: 10,
  authMode: 'required',
  jwtRateLimit: 'standard',
  logLevel: 'INFO',
} satisfies Partial<ContextValues>;

/** The smallest that works the same way: two zones (Kafka and RDS take no fewer), one NAT gateway, the smallest brokers. */
const dev = {
  ...everywhere,
  vpcCidr: '10.40.0.0/16',
  zones: 2,
  natGateways: 1,
  interfaceEndpoints: false,
  kafka: 'standard',
  kafkaBrokerType: 'kafka.t3.small',
  kafkaBrokersPerZone: 1,
  kafkaVersion: '3.9.x',
  kafkaStorageGib: 20,
  kafkaPartitions: 3,
  database: 'aurora-serverless',
  databaseMinAcu: 0.5,
  databaseMaxAcu: 4,
  databaseReaders: 0,
  databaseInstanceType: 't4g.medium',
  databaseStorageGib: 20,
  databaseBackupDays: 1,
  deletionProtection: false,
  apiThrottleRate: 50,
  apiThrottleBurst: 100,
  waf: false,
  wafRequestsPerFiveMinutes: 10_000,
  canary: false,
  // New accounts have ten concurrent executions in all, and none to reserve.
  reservedConcurrency: false,
  tracing: 'off',
  logRetentionDays: '7',
} satisfies Partial<ContextValues>;

const prod = {
  ...everywhere,
  vpcCidr: '10.40.0.0/16',
  zones: 3,
  natGateways: 3,
  interfaceEndpoints: true,
  kafka: 'express',
  kafkaBrokerType: 'express.m7g.large',
  kafkaBrokersPerZone: 1,
  kafkaVersion: '3.9.x',
  kafkaStorageGib: 200,
  kafkaPartitions: 24,
  database: 'aurora-serverless',
  databaseMinAcu: 1,
  databaseMaxAcu: 32,
  databaseReaders: 1,
  databaseInstanceType: 'm7g.large',
  databaseStorageGib: 200,
  databaseBackupDays: 14,
  deletionProtection: true,
  apiThrottleRate: 1_000,
  apiThrottleBurst: 2_000,
  waf: true,
  wafRequestsPerFiveMinutes: 10_000,
  canary: true,
  reservedConcurrency: true,
  // Sampled: a request a second and one in twenty of the rest.
  tracing: 'xray',
  logRetentionDays: '90',
} satisfies Partial<ContextValues>;

/** On an AWS emulator: Kafka and Postgres are there already, and there is no network to make. */
const local = {
  ...everywhere,
  emulatorUrl: 'http://127.0.0.1:4566',
  kafkaBootstrapBrokers: ['127.0.0.1:9092'],
  kafkaPartitions: 3,
  databaseUrl: 'postgres://workflow_user:workflow_pass@127.0.0.1:5432/workflow_db',
  deletionProtection: false,
  apiThrottleRate: 1_000,
  apiThrottleBurst: 2_000,
  waf: false,
  wafRequestsPerFiveMinutes: 10_000,
  canary: false,
  reservedConcurrency: false,
  tracing: 'off',
  logRetentionDays: '1',
  agentAllowedCidrs: '127.0.0.0/8',
} satisfies Partial<ContextValues>;

export const presets: Readonly<Record<EnvironmentName, Partial<ContextValues>>> = { local, dev, prod };

/** Those that every environment has a value for. */
export type PresetName = keyof typeof local & keyof typeof dev & keyof typeof prod;
