import { expect, test } from 'vitest';
import { functionEnvironment } from '../../../localstack/function-environment.ts';
import { checkEnvironment, environmentVariables } from '../../../shared/config/environment.ts';

const secrets = {
  apiKey: 'sk_made',
  jwtSecret: 'made',
  secretKey: Buffer.alloc(32).toString('base64'),
  agentSecret: 'whsec_made',
};
const servers = { databaseUrl: 'postgresql://127.0.0.1:5433/workflow_db', kafkaBrokers: '127.0.0.1:9093' };
const environmentWith = (variables: Record<string, string>) =>
  functionEnvironment(secrets, servers, variables, 8001);

test('what the local stack sets by itself is enough', () => {
  const environment = environmentWith({});
  checkEnvironment(environment);
  expect(environment).toMatchObject({
    DATABASE_URL: servers.databaseUrl,
    KAFKA_BROKERS: servers.kafkaBrokers,
    STEPLINE_SECRET_KEY: secrets.secretKey,
    JWT_SECRET: 'made',
    AGENT_ALLOWED_CIDRS: '127.0.0.0/8',
    PUBLIC_URL: 'http://127.0.0.1:8001',
    LOG_FORMAT: 'text',
  });
});

test('every variable of the functions is passed on, but those that the stack or a deployment decides', () => {
  const given = Object.fromEntries(environmentVariables().map((name) => [name, `given ${name}`]));
  const environment = environmentWith(given);
  const notPassedOn = environmentVariables().filter((name) => environment[name] !== given[name]);
  expect(notPassedOn.sort()).toEqual([
    'ADMIN_KEY_ARN',
    'AWS_LAMBDA_FUNCTION_NAME',
    'AWS_REGION',
    'DATABASE_AUTH',
    'DATABASE_ROLES',
    'DATABASE_URL',
    'JWT_SECRET',
    'KAFKA_AUTH',
    'KAFKA_BROKERS',
    'KAFKA_TOPIC_PARTITIONS',
    'KAFKA_TOPIC_REPLICATION',
    'STEPLINE_SECRET_KEY',
  ]);
});

test('an empty variable is one that is not set', () => {
  expect(environmentWith({ LOG_FORMAT: '', PUBLIC_URL: '', MAX_STEPS_PER_RUN: '' })).toEqual(
    environmentWith({}),
  );
});

test.each([
  ['MAX_STEPS_PER_RUN', '0', 'expected a whole number from 1 to 1000000'],
  ['AUDIT_RETENTION_DAYS', '7', 'expected at least 30'],
  ['KAFKA_TOPIC_PREFIX', 'my prefix.', 'expected letters, digits, ".", "_" and "-", at most 200'],
  ['AGENT_REGISTRY_URL', 'localhost:9000', 'expected an http or https URL'],
  ['LOG_FORMAT', 'xml', 'Invalid option: expected one of "json"|"text"'],
])('%s=%s is refused before anything is started', (name, value, expected) => {
  expect(() => checkEnvironment(environmentWith({ [name]: value }))).toThrow(
    `Set these environment variables right: ${name}: ${expected}`,
  );
});
