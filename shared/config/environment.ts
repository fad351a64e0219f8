import { z } from 'zod';
import type { JwtSettings } from '../auth/jwt.ts';
import type { PlanDefaults } from '../definition/compile-plan.ts';
import { limits } from './limits.ts';
import { type Tier, tiers } from './rate-limits.ts';
import { retention } from './retention.ts';
import { type Topics, topicsFor } from './topics.ts';

const list = z.string().transform((text) =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
);
const flag = z.enum(['true', 'false']).transform((text) => text === 'true');
const optionalText = z
  .string()
  .optional()
  .transform((text) => (text === undefined || text === '' ? null : text));

/** A whole number of a range. */
function count(least: number, most: number) {
  return z
    .string()
    .regex(/^\d{1,9}$/, `expected a whole number from ${least} to ${most}`)
    .transform(Number)
    .refine(
      (number) => number >= least && number <= most,
      `expected a whole number from ${least} to ${most}`,
    );
}

function isHttpUrl(text: string): boolean {
  return /^https?:/i.test(text) && URL.canParse(text);
}

const schema = z.object({
  DATABASE_URL: z.string().min(1),
  /** Several statements in one round trip. Off where a proxy in between does not take pipelining. */
  DATABASE_PIPELINE: flag.default(false),
  KAFKA_BROKERS: list.refine((brokers) => brokers.length > 0, 'expected host:port, or several with commas'),
  KAFKA_EXECUTION_TOPIC: z.string().min(1).default('workflow.execution.requests'),
  KAFKA_CANCELLATION_TOPIC: z.string().min(1).default('workflow.cancellation.requests'),
  KAFKA_TOPIC_PREFIX: z.string().default(''),
  KAFKA_GROUP_ID: z.string().min(1).default('execution-consumer-group'),
  /** 32 random bytes, base64: result tokens, callback tokens and the encryption of agent secrets derive from it. */
  STEPLINE_SECRET_KEY: z
    .string()
    .refine((text) => Buffer.from(text, 'base64').length >= 32, 'expected at least 32 bytes in base64'),
  AUTH_MODE: z.enum(['required', 'anonymous']).default('required'),
  JWT_SECRET: optionalText,
  /** Public keys of tokens that are signed by RS256, ES256 or EdDSA. */
  JWT_JWKS_URL: optionalText.refine(
    (text) => text === null || isHttpUrl(text),
    'expected an http or https URL',
  ),
  JWT_ISSUER: optionalText,
  JWT_AUDIENCE: list.default([]),
  /** The tier of callers by JWT: requests a minute of each user. */
  JWT_RATE_LIMIT: z.enum(tiers).default('unlimited'),
  /** Origins whose pages may call; `*` is any. */
  CORS_ALLOWED_ORIGINS: list.default([]),
  AGENT_REGISTRY_URL: optionalText,
  AGENT_ALLOWED_CIDRS: list.default([]),
  /** Where agents reach this API from outside, without a trailing slash: callback URLs start with it. */
  PUBLIC_URL: z
    .url()
    .default('http://127.0.0.1:8000')
    .transform((url) => url.replace(/\/+$/, '')),
  /** Audit records are removed after so many days. */
  AUDIT_RETENTION_DAYS: z
    .string()
    .regex(/^\d{1,5}$/, 'expected a whole number of days')
    .transform(Number)
    .refine((days) => days >= retention.minAuditDays, `expected at least ${retention.minAuditDays}`)
    .default(retention.auditDays),
  /** How many steps a run may start, those of map items apart. */
  MAX_STEPS_PER_RUN: count(1, 1_000_000).default(limits.maxStepsPerRun),
  /** How deep workflows may start workflows. */
  MAX_RUN_DEPTH: count(1, 100).default(limits.maxRunDepth),
  MAX_MAP_ITEMS: count(1, 100_000).default(limits.maxMapItems),
  /** Of workflows that have no `timeout_seconds`. */
  RUN_TIMEOUT_SECONDS: optionalText.pipe(count(1, 31_536_000).nullable()),
  LOG_LEVEL: z.enum(['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'CRITICAL', 'SILENT']).default('INFO'),
  LOG_FORMAT: z.enum(['json', 'text']).default('json'),
});

export interface Environment {
  readonly databaseUrl: string;
  readonly databasePipeline: boolean;
  readonly kafkaBrokers: readonly string[];
  readonly kafkaGroupId: string;
  readonly topics: Topics;
  readonly secretKey: Buffer;
  readonly authMode: 'required' | 'anonymous';
  readonly jwt: JwtSettings;
  readonly jwtRateLimit: Tier;
  readonly corsAllowedOrigins: readonly string[];
  readonly agentRegistryUrl: string | null;
  readonly agentAllowedCidrs: readonly string[];
  readonly publicUrl: string;
  readonly auditRetentionDays: number;
  /** What the deployment sets of the plan's defaults. */
  readonly runLimits: RunLimits;
  readonly logLevel: string;
  readonly logFormat: 'json' | 'text';
}

export type RunLimits = Pick<PlanDefaults, 'maxStepsPerRun' | 'maxRunDepth' | 'maxMapItems' | 'runTimeoutMs'>;

export class EnvironmentError extends Error {
  readonly code = 'BAD_ENVIRONMENT';
}

/**
 * The settings of a function, from its environment variables. The only reader of `process.env`; called once, at cold start.
 * @throws EnvironmentError naming every variable that is missing or wrong, and what was expected.
 */
export function readEnvironment(variables: Record<string, string | undefined> = process.env): Environment {
  const parsed = schema.safeParse(variables);
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    throw new EnvironmentError(`Set these environment variables right: ${problems.join('; ')}`);
  }
  const env = parsed.data;
  return {
    databaseUrl: env.DATABASE_URL,
    databasePipeline: env.DATABASE_PIPELINE,
    kafkaBrokers: env.KAFKA_BROKERS,
    kafkaGroupId: env.KAFKA_GROUP_ID,
    topics: topicsFor({
      prefix: env.KAFKA_TOPIC_PREFIX,
      executionTopic: env.KAFKA_EXECUTION_TOPIC,
      cancellationTopic: env.KAFKA_CANCELLATION_TOPIC,
    }),
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
    publicUrl: env.PUBLIC_URL,
    auditRetentionDays: env.AUDIT_RETENTION_DAYS,
    runLimits: {
      maxStepsPerRun: env.MAX_STEPS_PER_RUN,
      maxRunDepth: env.MAX_RUN_DEPTH,
      maxMapItems: env.MAX_MAP_ITEMS,
      runTimeoutMs: env.RUN_TIMEOUT_SECONDS === null ? null : env.RUN_TIMEOUT_SECONDS * 1_000,
    },
    logLevel: env.LOG_LEVEL,
    logFormat: env.LOG_FORMAT,
  };
}
