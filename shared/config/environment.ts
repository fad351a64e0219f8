import * as z from 'zod';
import type { JwtSettings } from '../auth/jwt.ts';
import { readSecret } from '../aws/secrets-manager.ts';
import type { PlanDefaults } from '../definition/compile-plan.ts';
import { count, flag, list, optionalText, optionalUrl, topicText } from './environment-values.ts';
import { limits } from './limits.ts';
import { type Tier, tiers } from './rate-limits.ts';
import { retention } from './retention.ts';
import { withSecrets } from './secret-variables.ts';
import { type Topics, topicsFor } from './topics.ts';

const kafkaVariables = z.object({
  KAFKA_BROKERS: list.refine((brokers) => brokers.length > 0, 'expected host:port, or several with commas'),
  /** `iam`: TLS, and a token signed with the function's role. */
  KAFKA_AUTH: z.enum(['none', 'iam']).default('none'),
  KAFKA_EXECUTION_TOPIC: topicText.min(1).default('workflow.execution.requests'),
  KAFKA_CANCELLATION_TOPIC: topicText.min(1).default('workflow.cancellation.requests'),
  KAFKA_TOPIC_PREFIX: topicText.default(''),
  KAFKA_GROUP_ID: z.string().min(1).default('execution-consumer-group'),
  /** Lambda sets it. */
  AWS_REGION: z.string().default('us-east-1'),
  LOG_LEVEL: z.enum(['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'CRITICAL', 'SILENT']).default('INFO'),
});

/** What a function needs that keeps no secrets of users. */
const connectionVariables = kafkaVariables.extend({
  DATABASE_URL: z.string().min(1),
  /** `iam`: a token signed with the function's role instead of a password. */
  DATABASE_AUTH: z.enum(['password', 'iam']).default('password'),
});

const allVariables = connectionVariables.extend({
  /** 32 random bytes, base64: result tokens, callback tokens and the encryption of agent secrets derive from it. */
  STEPLINE_SECRET_KEY: z
    .string()
    .refine((text) => Buffer.from(text, 'base64').length >= 32, 'expected at least 32 bytes in base64'),
  AUTH_MODE: z.enum(['required', 'anonymous']).default('required'),
  JWT_SECRET: optionalText,
  /** Public keys of tokens that are signed by RS256, ES256 or EdDSA. */
  JWT_JWKS_URL: optionalUrl,
  JWT_ISSUER: optionalText,
  JWT_AUDIENCE: list.default([]),
  /** The tier of callers by JWT: requests a minute of each user. */
  JWT_RATE_LIMIT: z.enum(tiers).default('standard'),
  /** Origins whose pages may call; `*` is any. */
  CORS_ALLOWED_ORIGINS: list.default([]),
  AGENT_REGISTRY_URL: optionalUrl,
  /** Private addresses of everybody's agents, which an admin or the registry names. */
  AGENT_ALLOWED_CIDRS: list.default([]),
  /** Of agents that users register for themselves. */
  USER_AGENT_ALLOWED_CIDRS: list.default([]),
  /** Lambda sets it: an agent cannot be one of the deployment's own functions. */
  AWS_LAMBDA_FUNCTION_NAME: z.string().default(''),
  /** Where agents reach this API from outside, without a trailing slash: callback URLs start with it. */
  PUBLIC_URL: z
    .url()
    .default('http://127.0.0.1:8000')
    .transform((url) => url.replace(/\/+$/, '')),
  /** How many steps a run may start, those of map items apart. */
  MAX_STEPS_PER_RUN: count(1, 1_000_000).default(limits.maxStepsPerRun),
  /** How deep workflows may start workflows. */
  MAX_RUN_DEPTH: count(1, 100).default(limits.maxRunDepth),
  MAX_MAP_ITEMS: count(1, 100_000).default(limits.maxMapItems),
  /** Of workflows that have no `timeout_seconds`. */
  RUN_TIMEOUT_SECONDS: optionalText.pipe(count(1, 31_536_000).nullable()),
  /** So long the step-executor waits for agents that are known to answer at once; 0: it calls none. */
  QUICK_CALL_PATIENCE_MS: count(0, 2_000).default(500),
  /** How many steps of a run one invocation carries out, one after the other, where agents answer at once. */
  STEPS_PER_INVOCATION: count(1, limits.maxStepsPerInvocation).default(1),
  /** What a workflow's `steps_per_invocation` comes to at most. */
  MAX_STEPS_PER_INVOCATION: count(1, limits.maxStepsPerInvocation).default(10),
  LOG_FORMAT: z.enum(['json', 'text']).default('json'),
});

const timekeeperVariables = connectionVariables.extend({
  AGENT_REGISTRY_URL: optionalUrl,
  /** Audit records are removed after so many days. */
  AUDIT_RETENTION_DAYS: z
    .string()
    .regex(/^\d{1,5}$/, 'expected a whole number of days')
    .transform(Number)
    .refine((days) => days >= retention.minAuditDays, `expected at least ${retention.minAuditDays}`)
    .default(retention.auditDays),
  /** Runs are removed so many days after their end; 0: never. */
  RUN_RETENTION_DAYS: z
    .string()
    .regex(/^\d{1,5}$/, 'expected a whole number of days')
    .transform(Number)
    .default(retention.runDays),
});

const migrateVariables = z.object({
  KAFKA_TOPIC_PARTITIONS: z.coerce.number().int().min(1).default(1),
  KAFKA_TOPIC_REPLICATION: z.coerce.number().int().min(1).default(1),
  /** Each function's own database user is made. */
  DATABASE_ROLES: flag.default(false),
  ADMIN_KEY_ARN: optionalText,
});

const everyVariable = () => ({
  ...allVariables.shape,
  ...timekeeperVariables.shape,
  ...migrateVariables.shape,
});

/** The names of all variables that some function reads, those of the secrets' ARNs apart. */
export function environmentVariables(): string[] {
  return Object.keys(everyVariable());
}

/**
 * For whoever starts the functions, before that: each of them checks its own.
 * @throws EnvironmentError naming every variable that is missing or wrong, and what was expected.
 */
export function checkEnvironment(variables: Variables): void {
  parse(z.object(everyVariable()), variables);
}

export interface KafkaConnection {
  readonly kafkaBrokers: readonly string[];
  readonly kafkaAuth: 'none' | 'iam';
  readonly kafkaGroupId: string;
  readonly topics: Topics;
  readonly awsRegion: string;
  readonly logLevel: string;
}

export interface Connections extends KafkaConnection {
  readonly databaseUrl: string;
  readonly databaseAuth: 'password' | 'iam';
}

export interface Environment extends Connections {
  readonly secretKey: Buffer;
  readonly authMode: 'required' | 'anonymous';
  readonly jwt: JwtSettings;
  readonly jwtRateLimit: Tier;
  readonly corsAllowedOrigins: readonly string[];
  readonly agentRegistryUrl: string | null;
  readonly agentAllowedCidrs: readonly string[];
  readonly userAgentAllowedCidrs: readonly string[];
  /** Of the function that this is; empty outside Lambda. */
  readonly functionName: string;
  readonly publicUrl: string;
  /** What the deployment sets of the plan's defaults. */
  readonly runLimits: RunLimits;
  readonly carryOut: CarryOutLimits;
  readonly logFormat: 'json' | 'text';
}

export type RunLimits = Pick<PlanDefaults, 'maxStepsPerRun' | 'maxRunDepth' | 'maxMapItems' | 'runTimeoutMs'>;

export interface CarryOutLimits {
  /** So long, from the commit on, an agent has to answer: its partition waits behind it. Zero: none is called. */
  readonly patienceMs: number;
  /** Where a workflow does not say. */
  readonly stepsPerInvocation: number;
  /** Whatever a workflow says. */
  readonly maxStepsPerInvocation: number;
}

export class EnvironmentError extends Error {
  readonly code = 'BAD_ENVIRONMENT';
}

type Variables = Readonly<Record<string, string | undefined>>;

/**
 * The settings of a function, from its environment variables. The only file that reads `process.env`; once, at cold start.
 * @throws EnvironmentError naming every variable that is missing or wrong, and what was expected.
 */
export function readEnvironment(variables: Variables = process.env): Environment {
  const env = parse(allVariables, variables);
  return {
    ...connectionsOf(env),
    secretKey: Buffer.from(env.STEPLINE_SECRET_KEY, 'base64'),
    authMode: env.AUTH_MODE,
    jwt: {
      secret: env.JWT_SECRET,
      jwksUrl: env.JWT_JWKS_URL,
      issuer: env.JWT_ISSUER,
      audience: env.JWT_AUDIENCE,
    },
    jwtRateLimit: env.JWT_RATE_LIMIT,
    corsAllowedOrigins: env.CORS_ALLOWED_ORIGINS,
    agentRegistryUrl: env.AGENT_REGISTRY_URL,
    agentAllowedCidrs: env.AGENT_ALLOWED_CIDRS,
    userAgentAllowedCidrs: env.USER_AGENT_ALLOWED_CIDRS,
    functionName: env.AWS_LAMBDA_FUNCTION_NAME,
    publicUrl: env.PUBLIC_URL,
    runLimits: {
      maxStepsPerRun: env.MAX_STEPS_PER_RUN,
      maxRunDepth: env.MAX_RUN_DEPTH,
      maxMapItems: env.MAX_MAP_ITEMS,
      runTimeoutMs: env.RUN_TIMEOUT_SECONDS === null ? null : env.RUN_TIMEOUT_SECONDS * 1_000,
    },
    carryOut: {
      patienceMs: env.QUICK_CALL_PATIENCE_MS,
      stepsPerInvocation: env.STEPS_PER_INVOCATION,
      // Who sets the deployment's own higher means that one.
      maxStepsPerInvocation: Math.max(env.STEPS_PER_INVOCATION, env.MAX_STEPS_PER_INVOCATION),
    },
    logFormat: env.LOG_FORMAT,
  };
}

/** As `readEnvironment`, with the secrets that the deployment keeps in Secrets Manager. */
export async function loadEnvironment(variables: Variables = process.env): Promise<Environment> {
  return readEnvironment(await withSecrets(variables, readSecret));
}

/** Of a function that needs no more than the database and Kafka. */
export async function loadConnections(variables: Variables = process.env): Promise<Connections> {
  return connectionsOf(parse(connectionVariables, await withSecrets(variables, readSecret)));
}

export interface TimekeeperSettings extends Connections {
  readonly agentRegistryUrl: string | null;
  readonly auditRetentionDays: number;
  /** 0: for ever. */
  readonly runRetentionDays: number;
}

/** The timekeeper's, which needs no secrets of users. */
export async function loadTimekeeperSettings(
  variables: Variables = process.env,
): Promise<TimekeeperSettings> {
  const env = parse(timekeeperVariables, await withSecrets(variables, readSecret));
  return {
    ...connectionsOf(env),
    agentRegistryUrl: env.AGENT_REGISTRY_URL,
    auditRetentionDays: env.AUDIT_RETENTION_DAYS,
    runRetentionDays: env.RUN_RETENTION_DAYS,
  };
}

export interface MigrateSettings {
  readonly topics: { readonly partitions: number; readonly replicationFactor: number };
  readonly databaseRoles: boolean;
  readonly adminKeySecretArn: string | null;
}

export function readMigrateSettings(variables: Variables = process.env): MigrateSettings {
  const env = parse(migrateVariables, variables);
  return {
    topics: { partitions: env.KAFKA_TOPIC_PARTITIONS, replicationFactor: env.KAFKA_TOPIC_REPLICATION },
    databaseRoles: env.DATABASE_ROLES,
    adminKeySecretArn: env.ADMIN_KEY_ARN,
  };
}

function parse<Schema extends z.ZodType>(schema: Schema, variables: Variables): z.output<Schema> {
  const parsed = schema.safeParse(variables);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  throw new EnvironmentError(`Set these environment variables right: ${problems.join('; ')}`);
}

/** Of a function that needs no more than Kafka. */
export function readKafkaConnection(variables: Variables = process.env): KafkaConnection {
  return kafkaOf(parse(kafkaVariables, variables));
}

function connectionsOf(env: z.output<typeof connectionVariables>): Connections {
  return {
    ...kafkaOf(env),
    databaseUrl: env.DATABASE_URL,
    databaseAuth: env.DATABASE_AUTH,
  };
}

function kafkaOf(env: z.output<typeof kafkaVariables>): KafkaConnection {
  return {
    kafkaBrokers: env.KAFKA_BROKERS,
    kafkaAuth: env.KAFKA_AUTH,
    kafkaGroupId: env.KAFKA_GROUP_ID,
    topics: topicsFor({
      prefix: env.KAFKA_TOPIC_PREFIX,
      executionTopic: env.KAFKA_EXECUTION_TOPIC,
      cancellationTopic: env.KAFKA_CANCELLATION_TOPIC,
    }),
    awsRegion: env.AWS_REGION,
    logLevel: env.LOG_LEVEL,
  };
}
