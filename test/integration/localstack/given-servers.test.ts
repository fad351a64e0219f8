import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, inject, onTestFinished, test } from 'vitest';
import { freePort } from '../../../localstack/free-ports.ts';
import { checkGivenBrokers, checkGivenDatabase } from '../../../localstack/given-servers.ts';
import { removeWithLauncher } from '../../../localstack/guardian.ts';
import { startServers } from '../../../localstack/servers.ts';
import { until } from './mapping-harness.ts';

test('servers that answer are taken', async () => {
  await checkGivenDatabase(inject('databaseUrl'));
  await checkGivenBrokers(inject('kafkaBrokers'));
});

test('a database that does not answer is named, without its password', async () => {
  const port = await freePort();
  await expect(checkGivenDatabase(`postgresql://me:secret@127.0.0.1:${port}/mine`)).rejects.toMatchObject({
    code: 'POSTGRES_UNAVAILABLE',
    message: `DATABASE_URL cannot be used: 127.0.0.1:${port}/mine: connect ECONNREFUSED 127.0.0.1:${port}.
  - start it, or correct DATABASE_URL: postgresql://user:password@host:5432/database
  - or unset it: the stack then starts a PostgreSQL of its own`,
  });
});

test('a password that is wrong is said', async () => {
  const url = new URL(inject('databaseUrl'));
  url.password = 'wrong';
  await expect(checkGivenDatabase(url.href)).rejects.toThrow(
    'password authentication failed for user "workflow_user"',
  );
});

test.each(['nonsense', 'mysql://localhost/x', 'postgresql://'])('%s is no address', async (url) => {
  await expect(checkGivenDatabase(url)).rejects.toMatchObject({ code: 'POSTGRES_UNAVAILABLE' });
});

test('a broker that does not answer is named', async () => {
  const brokers = `127.0.0.1:${await freePort()}`;
  await expect(checkGivenBrokers(brokers)).rejects.toMatchObject({
    code: 'KAFKA_UNAVAILABLE',
    message: expect.stringMatching(
      new RegExp(`^No Kafka broker answers at KAFKA_BROKERS=${brokers}: .+\\.\n  - start it, or correct`),
    ),
  });
});

test('a server that ends by itself is told of, one that is stopped is not', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'stepline-lost-'));
  removeWithLauncher(folder);
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const lost: string[] = [];
  const servers = await startServers({
    dataDir: folder,
    kafkaBrokers: inject('kafkaBrokers'),
    onLost: (line) => lost.push(line),
  });
  process.kill(servers.pids.postgres ?? 0, 'SIGKILL');
  const message = `PostgreSQL has ended by itself: its log is ${join(folder, 'postgres.log')}; the next start finds its data`;
  await until(() => lost.includes(message), 5_000);
  await servers.stop();

  const others = await startServers({
    dataDir: folder,
    kafkaBrokers: inject('kafkaBrokers'),
    onLost: (line) => lost.push(line),
  });
  await others.stop();
  expect(lost).toEqual([message]);
});
