import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { purge } from '../../../functions/timekeeper/purge.ts';
import { type Database, openDatabase } from '../../../shared/persistence/database.ts';
import { purgeAuditLog, removeOldIdempotencyKeys } from '../../../shared/persistence/purge.ts';
import { createFreshDatabase, type FreshDatabase } from '../../support/fresh-database.ts';

/* What is past its time goes, batch by batch; what is not stays, the audit log whatever is tried. */

let fresh: FreshDatabase;
let database: Database;
beforeAll(async () => {
  fresh = await createFreshDatabase(inject('databaseUrl'));
  database = openDatabase({ url: fresh.url, maxConnections: 4 });
});
afterAll(async () => {
  await database?.close();
  await fresh?.drop();
});

const addKeys = (count: number, age: string) =>
  database.execute(
    `insert into idempotency_keys (user_id, key, request_hash, run_id, created_at)
     select 'ann', gen_random_uuid(), '', 'r', now() - $2::interval from generate_series(1, $1)`,
    [count, age],
  );
const addRecords = (count: number, age: string) =>
  database.execute(
    `insert into audit_log (id, at, action, result) select gen_random_uuid(), now() - $2::interval, 'x', 'SUCCESS' from generate_series(1, $1)`,
    [count, age],
  );
const count = async (table: string, where = 'true') =>
  (await database.one<{ count: number }>(`select count(*) from ${table} where ${where}`)).count;

describe('idempotency keys', () => {
  it('go when they are past their time, the oldest first, without those that somebody has', async () => {
    await addKeys(5, '8 days');
    await addKeys(2, '6 days');
    const options = { keepDays: 7, atMost: 3 };
    await database.transaction(async (mine) => {
      expect(await removeOldIdempotencyKeys(mine, options)).toBe(3);
      expect(await removeOldIdempotencyKeys(database, options)).toBe(2);
    });
    expect(await removeOldIdempotencyKeys(database, options)).toBe(0);
    expect(await count('idempotency_keys')).toBe(2);
  });
});

describe('the audit log', () => {
  it('is purged of what is past its time and in no month, the oldest first, and says so', async () => {
    await addRecords(5, '401 days');
    await addRecords(3, '399 days');
    expect(await purgeAuditLog(database, { keepDays: 400, atMost: 4 })).toBe(4);
    expect(await purgeAuditLog(database, { keepDays: 400, atMost: 4 })).toBe(1);
    expect(await purgeAuditLog(database, { keepDays: 400, atMost: 4 })).toBe(0);
    expect(await count('audit_log', "action = 'x'")).toBe(3);
    const told = await database.many<{ resource: string; result: string }>(
      `select resource, result from audit_log where action = 'purge_audit_log' order by at`,
    );
    expect(told).toEqual([
      {
        resource: expect.stringMatching(/^4 records up to 20\d\d-.*Z, kept for 400 days$/),
        result: 'SUCCESS',
      },
      { resource: expect.stringMatching(/^1 records up to /), result: 'SUCCESS' },
    ]);
  });

  it('is neither changed nor emptied by anybody else, whatever the age', async () => {
    await addRecords(1, '1000 days');
    for (const attempt of [
      'delete from audit_log',
      `delete from audit_log where at < now() - interval '999 days'`,
      `update audit_log set action = 'y' where at < now() - interval '999 days'`,
      'truncate audit_log',
    ]) {
      await expect(database.execute(attempt)).rejects.toThrow('audit_log rows are never changed');
    }
  });

  it('keeps thirty days whatever is tried', async () => {
    await addRecords(1, '29 days');
    await expect(purgeAuditLog(database, { keepDays: 29, atMost: 10 })).rejects.toThrow('at least 30 days');
    const forced = database.transaction(async (statements) => {
      await statements.one(`select set_config('stepline.purging_audit_log', 'on', true)`);
      await statements.execute(`delete from audit_log where at > now() - interval '30 days'`);
    });
    await expect(forced).rejects.toThrow('audit_log rows are never changed');
    const changed = database.transaction(async (statements) => {
      await statements.one(`select set_config('stepline.purging_audit_log', 'on', true)`);
      await statements.execute(`update audit_log set action = 'y'`);
    });
    await expect(changed).rejects.toThrow('audit_log rows are never changed');
    // The purge's own leave ends with it.
    const after = database.transaction(async (statements) => {
      await statements.one('select purge_audit_log(400, 10)');
      await statements.execute('delete from audit_log');
    });
    await expect(after).rejects.toThrow('audit_log rows are never changed');
  });
});

describe('a purge', () => {
  const deps = () => ({ database, auditRetentionDays: 400 });

  it('takes a batch of each, and says whether there may be more', async () => {
    await addKeys(1_500, '8 days');
    await database.execute(
      `insert into rate_limits (bucket, tokens, refilled_at, admitted)
       select 'b' || n, 1, now() - n % 2 * interval '3 minutes', true from generate_series(1, 10) n`,
    );
    expect(await purge(deps())).toBe(true);
    expect(await count('idempotency_keys', "created_at < now() - interval '7 days'")).toBe(500);
    expect(await count('rate_limits')).toBe(5);
    expect(await purge(deps())).toBe(false);
    expect(await count('idempotency_keys', "created_at < now() - interval '7 days'")).toBe(0);
  });

  it('of one table that fails keeps no other from its turn', async () => {
    await addKeys(3, '8 days');
    await addRecords(2, '500 days');
    await database.execute('alter table rate_limits rename to away');
    await expect(purge(deps())).rejects.toThrow('rate_limits');
    await database.execute('alter table away rename to rate_limits');
    expect(await count('idempotency_keys', "created_at < now() - interval '7 days'")).toBe(0);
    expect(await count('audit_log', "action = 'x' and at < now() - interval '400 days'")).toBe(0);
  });
});
