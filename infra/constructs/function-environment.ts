import type { FunctionProfile } from '../config/function-profiles.ts';
import type { Options, Settings } from '../config/settings.ts';
import { DATABASE_NAME } from './database.ts';
import type { Surroundings } from './surroundings.ts';

export interface Addresses {
  /** host:port, with commas. */
  readonly kafkaBrokers: string;
  /** Where agents reach the API. */
  readonly publicUrl: string;
}

/** The environment variables of a function, from its profile. None is a secret: those are named by their ARNs. */
export function environmentOf(
  profile: FunctionProfile,
  settings: Settings,
  surroundings: Surroundings,
  addresses: Addresses,
): Record<string, string> {
  const { options } = settings;
  return {
    // kafkajs sets a timer to a time that has passed; Node 24 says so once in each process.
    NODE_OPTIONS: '--enable-source-maps --disable-warning=TimeoutNegativeWarning',
    // kafkajs tells of an old change of its own at every start.
    KAFKAJS_NO_PARTITIONER_WARNING: '1',
    LOG_LEVEL: options.logLevel,
    KAFKA_BROKERS: addresses.kafkaBrokers,
    KAFKA_AUTH: surroundings.kafkaAccess === null ? 'none' : 'iam',
    KAFKA_GROUP_ID: settings.prefix,
    ...(options.kafkaTopicPrefix !== undefined && { KAFKA_TOPIC_PREFIX: options.kafkaTopicPrefix }),
    ...databaseVariables(profile, settings, surroundings),
    ...(profile.needs.includes('secretKey') && runVariables(options, surroundings, addresses)),
    ...(profile.needs.includes('agentRegistry') && given({ AGENT_REGISTRY_URL: options.agentRegistryUrl })),
    ...(profile.needs.includes('runLimits') && limitVariables(options)),
    ...(profile.needs.includes('quickCalls') && quickCallVariables(options)),
    ...(profile.needs.includes('retention') &&
      given({
        AUDIT_RETENTION_DAYS: options.auditRetentionDays,
        RUN_RETENTION_DAYS: options.runRetentionDays,
      })),
    ...(profile.needs.includes('jwt') && accessVariables(options, surroundings)),
    ...(profile.needs.includes('topicAdministration') && {
      KAFKA_TOPIC_PARTITIONS: String(options.kafkaPartitions),
      KAFKA_TOPIC_REPLICATION: String(settings.kafka.replication),
      DATABASE_ROLES: 'true',
      ADMIN_KEY_ARN: surroundings.secrets.adminKeyArn,
    }),
  };
}

function databaseVariables(
  { databaseUser }: FunctionProfile,
  settings: Settings,
  { database }: Surroundings,
): Record<string, string> {
  if (databaseUser === null) return {};
  if (settings.database.kind === 'url') return { DATABASE_URL: settings.database.url };
  if (database === null) throw new Error('Expected a database, since the settings name none by its address');
  if (databaseUser === 'administrator') {
    return {
      DATABASE_URL: `postgres://${database.server.endpoint}:5432/${DATABASE_NAME}?sslmode=verify-full`,
      DATABASE_SECRET_ARN: database.server.administrator.secretArn,
      // RDS signs its own certificates, other than its proxy; the runtime brings the authority along, but does not load it.
      NODE_EXTRA_CA_CERTS: '/var/runtime/ca-cert.pem',
    };
  }
  return {
    DATABASE_URL: `postgres://${databaseUser}@${database.proxy.endpoint}:5432/${DATABASE_NAME}`,
    DATABASE_AUTH: 'iam',
  };
}

function runVariables(options: Options, { secrets }: Surroundings, { publicUrl }: Addresses) {
  return {
    STEPLINE_SECRET_KEY_ARN: secrets.secretKeyArn,
    PUBLIC_URL: publicUrl,
    ...given({
      AGENT_ALLOWED_CIDRS: options.agentAllowedCidrs,
      USER_AGENT_ALLOWED_CIDRS: options.userAgentAllowedCidrs,
    }),
  };
}

function limitVariables(options: Options) {
  return given({
    MAX_STEPS_PER_RUN: options.maxStepsPerRun,
    MAX_RUN_DEPTH: options.maxRunDepth,
    MAX_MAP_ITEMS: options.maxMapItems,
    RUN_TIMEOUT_SECONDS: options.runTimeoutSeconds,
  });
}

function quickCallVariables(options: Options) {
  return given({
    QUICK_CALL_PATIENCE_MS: options.quickCallPatienceMs,
    STEPS_PER_INVOCATION: options.stepsPerInvocation,
    MAX_STEPS_PER_INVOCATION: options.maxStepsPerInvocation,
  });
}

function accessVariables(options: Options, { secrets }: Surroundings) {
  return {
    AUTH_MODE: options.authMode,
    JWT_RATE_LIMIT: options.jwtRateLimit,
    ...given({
      JWT_SECRET_ARN: secrets.jwtSecretArn,
      JWT_JWKS_URL: options.jwtJwksUrl,
      JWT_ISSUER: options.jwtIssuer,
      JWT_AUDIENCE: options.jwtAudience,
      CORS_ALLOWED_ORIGINS: options.corsAllowedOrigins,
    }),
  };
}

function given(variables: Readonly<Record<string, string | number | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(variables).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, String(value)]],
    ),
  );
}
