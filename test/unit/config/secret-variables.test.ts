import { expect, test } from 'vitest';
import {
  loadTimekeeperSettings,
  readEnvironment,
  readKafkaConnection,
  readMigrateSettings,
} from '../../../shared/config/environment.ts';
import { withSecrets } from '../../../shared/config/secret-variables.ts';

const secrets: Record<string, string> = {
  'arn:key': Buffer.alloc(33, 'k').toString('base64'),
  'arn:jwt': 'signing',
  'arn:admin': JSON.stringify({ username: 'stepline_admin', password: 'p/a"s:s@w%ord?#' }),
};
const asked: string[] = [];
const readSecret = async (arn: string): Promise<string> => {
  asked.push(arn);
  return secrets[arn] ?? '';
};

test('what an ARN names is put in the place of the variable', async () => {
  const found = await withSecrets(
    { STEPLINE_SECRET_KEY_ARN: 'arn:key', JWT_SECRET_ARN: 'arn:jwt' },
    readSecret,
  );
  expect(found).toMatchObject({ STEPLINE_SECRET_KEY: secrets['arn:key'], JWT_SECRET: 'signing' });
});

test('without ARNs nobody is asked', async () => {
  asked.length = 0;
  expect(await withSecrets({ JWT_SECRET: 'as it is', JWT_SECRET_ARN: '' }, readSecret)).toEqual({
    JWT_SECRET: 'as it is',
    JWT_SECRET_ARN: '',
  });
  expect(asked).toEqual([]);
});

test('an administrator’s password may hold any character', async () => {
  const variables = {
    DATABASE_URL: 'postgres://host:5432/db?sslmode=verify-full',
    DATABASE_SECRET_ARN: 'arn:admin',
  };
  const { DATABASE_URL } = await withSecrets(variables, readSecret);
  const url = new URL(DATABASE_URL ?? '');
  expect([decodeURIComponent(url.username), decodeURIComponent(url.password)]).toEqual([
    'stepline_admin',
    'p/a"s:s@w%ord?#',
  ]);
  expect([url.host, url.pathname, url.search]).toEqual(['host:5432', '/db', '?sslmode=verify-full']);
});

test('what a deployment leaves out is named', () => {
  expect(() => readEnvironment({ DATABASE_AUTH: 'kerberos' })).toThrow(
    /DATABASE_URL: .*; DATABASE_AUTH: .*"password"\|"iam".*; STEPLINE_SECRET_KEY: /s,
  );
  expect(() => readKafkaConnection({})).toThrow('KAFKA_BROKERS');
  expect(() => readMigrateSettings({ KAFKA_TOPIC_PARTITIONS: '0' })).toThrow('KAFKA_TOPIC_PARTITIONS');
});

test('the timekeeper needs no secret, and keeps audit records and runs for as long as it is told', async () => {
  const variables = { DATABASE_URL: 'postgres://localhost/x', KAFKA_BROKERS: 'localhost:9092' };
  expect(await loadTimekeeperSettings(variables)).toMatchObject({
    auditRetentionDays: 400,
    runRetentionDays: 0,
    agentRegistryUrl: null,
  });
  const set = {
    ...variables,
    AUDIT_RETENTION_DAYS: '30',
    RUN_RETENTION_DAYS: '7',
    AGENT_REGISTRY_URL: 'http://registry',
  };
  expect(await loadTimekeeperSettings(set)).toMatchObject({
    auditRetentionDays: 30,
    runRetentionDays: 7,
    agentRegistryUrl: 'http://registry',
  });
  for (const days of ['29', '-1', '1e3', '1.5']) {
    await expect(loadTimekeeperSettings({ ...variables, AUDIT_RETENTION_DAYS: days })).rejects.toThrow(
      'AUDIT_RETENTION_DAYS: expected',
    );
  }
  for (const days of ['-1', '1e3', '1.5', 'never']) {
    await expect(loadTimekeeperSettings({ ...variables, RUN_RETENTION_DAYS: days })).rejects.toThrow(
      'RUN_RETENTION_DAYS: expected',
    );
  }
});
