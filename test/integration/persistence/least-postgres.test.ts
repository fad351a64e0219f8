import pg from 'pg';
import { expect, inject, test } from 'vitest';
import { checkGivenDatabase } from '../../../localstack/given-servers.ts';
import { checkServerVersion } from '../../../shared/persistence/least-postgres.ts';
import { migrate } from '../../../shared/persistence/migrate.ts';
import { startOldPostgres } from '../../support/old-postgres.ts';

test.each([
  [150_004, '15.4'],
  [169_999, '16.9999'],
  [90_624, '9.6.24'],
])('of PostgreSQL %i neither migrate nor the local stack makes anything', async (number, name) => {
  const old = await startOldPostgres(number);
  await expect(migrate(old.url)).rejects.toMatchObject({
    code: 'DATABASE_TOO_OLD',
    message: `PostgreSQL 17 or newer is needed, this is ${name}`,
  });
  const { host } = new URL(old.url);
  await expect(checkGivenDatabase(old.url)).rejects.toMatchObject({
    code: 'POSTGRES_UNAVAILABLE',
    message: `DATABASE_URL cannot be used: ${host}/old: PostgreSQL 17 or newer is needed, this is ${name}.
  - name a newer one in DATABASE_URL
  - or unset it: the stack then starts a PostgreSQL of its own`,
  });
  // Nothing but the question.
  expect(new Set(old.queries)).toEqual(new Set([`select current_setting('server_version_num') as number`]));
  old.close();
});

test('the one that these tests run on is new enough', async () => {
  const client = new pg.Client({ connectionString: inject('databaseUrl') });
  await client.connect();
  await expect(checkServerVersion(client)).resolves.toBeUndefined();
  await client.end();
});
