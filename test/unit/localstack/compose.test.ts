import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';

interface Service {
  image?: string;
  profiles?: string[];
  command?: string[];
  environment?: Record<string, string | number | null>;
  healthcheck?: { test: string[] };
}

const file = new URL('../../../localstack/compose.yaml', import.meta.url);
const { services } = parse(readFileSync(file, 'utf8'), { merge: true }) as {
  services: Record<string, Service>;
};

test('has the sources’ services in the sources’ profiles', () => {
  const profiles = Object.fromEntries(
    Object.entries(services).map(([name, service]) => [name, service.profiles ?? []]),
  );
  expect(profiles).toEqual({
    kafka: [],
    postgres: [],
    api: ['api'],
    'execution-consumer': ['consumer'],
    bridge: ['bridge'],
    localstack: ['aws'],
  });
});

test('has the sources’ credentials and addresses', () => {
  expect(services.postgres?.environment).toMatchObject({
    POSTGRES_USER: 'workflow_user',
    POSTGRES_PASSWORD: 'workflow_pass',
    POSTGRES_DB: 'workflow_db',
  });
  for (const name of ['api', 'execution-consumer', 'bridge']) {
    expect(services[name]?.environment).toMatchObject({
      DATABASE_URL: 'postgresql://workflow_user:workflow_pass@postgres:5432/workflow_db',
      KAFKA_BROKERS: 'kafka:29092',
    });
  }
  expect(services['execution-consumer']?.environment?.KAFKA_GROUP_ID).toBe('execution-consumer-group');
});

test('pins every server’s image, checks its health, and runs the same functions as npm run dev', () => {
  expect([services.kafka?.image, services.postgres?.image, services.localstack?.image]).toEqual([
    'apache/kafka:4.3.1',
    'postgres:18.4',
    'localstack/localstack:4.14.0',
  ]);
  for (const name of ['kafka', 'postgres', 'api', 'localstack'])
    expect(services[name]?.healthcheck?.test[0]).toBe('CMD');
  expect(['api', 'execution-consumer', 'bridge'].map((name) => services[name]?.command?.join(' '))).toEqual([
    'node localstack/cli/dev.ts --only api',
    'node localstack/cli/dev.ts --only consumer',
    'node localstack/cli/dev.ts --only bridge',
  ]);
});

test('has the broker that the stack without Docker has', () => {
  const pom = readFileSync(new URL('../../../localstack/kafka/pom.xml', import.meta.url), 'utf8');
  expect(pom).toContain('<version>4.3.1</version>');
});
