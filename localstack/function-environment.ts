import { environmentVariables } from '../shared/config/environment.ts';
import type { LocalSecrets } from './local-secrets.ts';
import type { RunningServers } from './servers.ts';

/** A deployment's alone: here functions come by password to servers, and the topics' layout comes with the event. */
const notPassedOn = new Set([
  'AWS_REGION',
  'AWS_LAMBDA_FUNCTION_NAME',
  'DATABASE_AUTH',
  'KAFKA_AUTH',
  'KAFKA_TOPIC_PARTITIONS',
  'KAFKA_TOPIC_REPLICATION',
  'DATABASE_ROLES',
  'ADMIN_KEY_ARN',
]);

/** What the deployed functions get from the CDK app. A variable that is empty is one that is not set; `port` is the API's. */
export function functionEnvironment(
  secrets: LocalSecrets,
  servers: Pick<RunningServers, 'databaseUrl' | 'kafkaBrokers'>,
  variables: Readonly<Record<string, string | undefined>>,
  port: number,
): Record<string, string> {
  const passedOn = environmentVariables().flatMap((name) => {
    const value = variables[name];
    return value && !notPassedOn.has(name) ? [[name, value] as const] : [];
  });
  return {
    // For a person to read.
    LOG_FORMAT: 'text',
    AGENT_ALLOWED_CIDRS: '127.0.0.0/8',
    PUBLIC_URL: `http://127.0.0.1:${port}`,
    ...Object.fromEntries(passedOn),
    DATABASE_URL: servers.databaseUrl,
    KAFKA_BROKERS: servers.kafkaBrokers,
    STEPLINE_SECRET_KEY: secrets.secretKey,
    JWT_SECRET: secrets.jwtSecret,
    KAFKAJS_NO_PARTITIONER_WARNING: '1',
    // kafkajs sets a timer to a time that has passed; Node 24 says so once in each process.
    NODE_OPTIONS: '--disable-warning=TimeoutNegativeWarning',
  };
}
