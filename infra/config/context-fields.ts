import { halfSteps, list, oneOf, text, url, wholeNumber, yesOrNo } from './context-field.ts';

const resourceId = (prefix: string) => new RegExp(`^${prefix}-[0-9a-f]+$`);
const arnOf = (service: string) => new RegExp(`^arn:aws[a-z-]*:${service}:.+$`);
const anyText = /^.+$/s;

/** Everything that a deployment can be told by context, `-c name=value`. */
export const contextFields = {
  stepBatchSize: wholeNumber(1, 10_000, 100),
  bridgeBatchSize: wholeNumber(1, 1_000, 10),

  vpcId: text(resourceId('vpc'), 'the id of a VPC that exists', 'vpc-0123456789abcdef0'),
  vpcAvailabilityZones: list(
    /^[a-z]{2}(-[a-z]+)+-\d[a-z]$/,
    2,
    'two zones or more, with commas',
    'eu-west-1a,eu-west-1b',
  ),
  vpcPrivateSubnetIds: list(
    resourceId('subnet'),
    2,
    'the ids of private subnets that reach the internet by NAT, one for each zone in its order, with commas',
    'subnet-0123456789abcdef0,subnet-0123456789abcdef1',
  ),
  vpcCidr: text(/^\d+\.\d+\.\d+\.\d+\/\d+$/, 'an address range of a new VPC', '10.40.0.0/16'),
  zones: wholeNumber(2, 3, 3),
  natGateways: wholeNumber(1, 3, 1),
  interfaceEndpoints: yesOrNo(true),

  kafka: oneOf('express', 'standard', 'serverless', 'existing'),
  kafkaBrokerType: text(
    /^(express|kafka)\.[a-z0-9]+\.[a-z0-9]+$/,
    'a broker type, express.… or kafka.… as `kafka` says',
    'express.m7g.large',
  ),
  kafkaBrokersPerZone: wholeNumber(1, 30, 1),
  kafkaVersion: text(/^\d+\.\d+\.(\d+|x)(\.kraft)?$/, 'a version that MSK has', '3.9.x'),
  kafkaStorageGib: wholeNumber(1, 16_384, 100),
  kafkaClusterArn: text(
    arnOf('kafka'),
    'the ARN of an MSK cluster with IAM authentication',
    'arn:aws:kafka:eu-west-1:111122223333:cluster/name/uuid-1',
  ),
  kafkaSecurityGroupId: text(
    resourceId('sg'),
    'the id of the security group of its brokers',
    'sg-0123456789abcdef0',
  ),
  kafkaPartitions: wholeNumber(1, 1_000, 12),
  kafkaTopicPrefix: text(
    /^[a-zA-Z0-9._-]{1,60}$/,
    'what our topics’ names start with on a shared cluster',
    'team-a.',
  ),
  kafkaBootstrapBrokers: list(/^[^\s:,]+:\d+$/, 1, 'host:port, several with commas', '127.0.0.1:9092'),

  database: oneOf('aurora-serverless', 'instance', 'existing'),
  databaseMinAcu: halfSteps(0.5, 256, 0.5),
  databaseMaxAcu: halfSteps(1, 256, 8),
  databaseReaders: wholeNumber(0, 5, 1),
  databaseInstanceType: text(/^[a-z0-9]+\.[a-z0-9]+$/, 'an instance type without its db.', 'm7g.large'),
  databaseStorageGib: wholeNumber(20, 65_536, 100),
  databaseBackupDays: wholeNumber(1, 35, 14),
  databaseClusterIdentifier: text(anyText, 'the identifier of an Aurora PostgreSQL cluster', 'my-cluster'),
  databaseEndpoint: text(
    /^[a-z0-9.-]+$/i,
    'its writer endpoint',
    'my-cluster.cluster-abc.eu-west-1.rds.amazonaws.com',
  ),
  databaseResourceId: text(/^cluster-[A-Z0-9]+$/, 'its resource id', 'cluster-ABCDEFGHIJKLMNOPQRSTUVWXYZ'),
  databaseSecurityGroupId: text(resourceId('sg'), 'the id of its security group', 'sg-0123456789abcdef0'),
  databaseSecretArn: text(
    arnOf('secretsmanager'),
    'the ARN of the secret with its administrator’s username and password',
    'arn:aws:secretsmanager:eu-west-1:111122223333:secret:name-AbCdEf',
  ),
  databaseUrl: text(
    /^postgres(ql)?:\/\/.+/,
    'the address of a PostgreSQL',
    'postgres://user:password@127.0.0.1:5432/stepline',
  ),
  emulatorUrl: text(
    /^https?:\/\/[^/]+$/,
    'where the emulator of AWS is reached, without a path',
    'http://127.0.0.1:4566',
  ),

  deletionProtection: yesOrNo(true),
  apiThrottleRate: wholeNumber(1, 10_000, 500),
  apiThrottleBurst: wholeNumber(1, 5_000, 1_000),
  apiDomainName: text(/^[a-z0-9.-]+$/, 'a domain name', 'api.example.com'),
  apiCertificateArn: text(
    arnOf('acm'),
    'the ARN of its certificate in this region',
    'arn:aws:acm:eu-west-1:111122223333:certificate/uuid',
  ),
  waf: yesOrNo(true),
  wafRequestsPerFiveMinutes: wholeNumber(10, 2_000_000_000, 10_000),
  canary: yesOrNo(true),
  reservedConcurrency: yesOrNo(false),

  authMode: oneOf('required', 'anonymous'),
  jwtSecretArn: text(
    arnOf('secretsmanager'),
    'the ARN of a secret whose text signs tokens by HS256',
    'arn:aws:secretsmanager:eu-west-1:111122223333:secret:jwt-AbCdEf',
  ),
  jwtJwksUrl: url(['https:'], 'an https URL', 'https://login.example.com/.well-known/jwks.json'),
  jwtIssuer: text(anyText, 'a text', 'https://login.example.com/'),
  jwtAudience: text(anyText, 'a text, several with commas', 'stepline'),
  jwtRateLimit: oneOf('standard', 'premium', 'unlimited'),
  corsAllowedOrigins: text(anyText, 'origins with commas, or *', 'https://app.example.com'),
  agentRegistryUrl: url(['http:', 'https:'], 'an http or https URL', 'https://registry.example.com'),
  agentAllowedCidrs: text(/^[\da-f.:/, ]+$/i, 'address ranges with commas', '10.1.0.0/16'),
  userAgentAllowedCidrs: text(/^[\da-f.:/, ]+$/i, 'address ranges with commas', '10.1.7.0/24'),
  agentFunctionArns: list(
    arnOf('lambda'),
    1,
    'ARNs of Lambda functions that are agents, with commas; without it, those tagged stepline:agent=true',
    'arn:aws:lambda:eu-west-1:111122223333:function:my-agent',
  ),

  maxStepsPerRun: wholeNumber(1, 1_000_000, 25_000),
  maxRunDepth: wholeNumber(1, 100, 10),
  maxMapItems: wholeNumber(1, 100_000, 10_000),
  runTimeoutSeconds: wholeNumber(1, 31_536_000, 86_400),
  quickCallPatienceMs: wholeNumber(0, 2_000, 500),
  stepsPerInvocation: wholeNumber(1, 100, 1),
  maxStepsPerInvocation: wholeNumber(1, 100, 10),
  auditRetentionDays: wholeNumber(30, 99_999, 400),
  runRetentionDays: wholeNumber(0, 99_999, 90),

  alarmEmail: text(/^[^\s@]+@[^\s@]+$/, 'an e-mail address', 'oncall@example.com'),
  alarmTopicArn: text(arnOf('sns'), 'the ARN of an SNS topic', 'arn:aws:sns:eu-west-1:111122223333:oncall'),
  runbookUrl: text(
    /^https?:\/\/.+/,
    'where infra/RUNBOOK.md can be read',
    'https://git.example.com/stepline/blob/main/infra/RUNBOOK.md',
  ),
  tracing: oneOf('off', 'xray', 'adot'),
  adotLayerArn: text(
    // Its forerunners, `aws-otel-nodejs-…`, cannot see into ES modules, which our bundles are.
    /^arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:layer:AWSOpenTelemetryDistroJs:\d+$/,
    'the ARN of a version of the layer AWSOpenTelemetryDistroJs in the region that is deployed to',
    'arn:aws:lambda:eu-west-1:615299751070:layer:AWSOpenTelemetryDistroJs:10',
  ),
  logLevel: oneOf('DEBUG', 'INFO', 'WARN', 'ERROR'),
  logRetentionDays: oneOf('1', '7', '14', '30', '90', '180', '365'),
};

export type ContextFields = typeof contextFields;
export type ContextName = keyof ContextFields;
