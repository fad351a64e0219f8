import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { type Database, openDatabase, type Statements } from '../../../shared/persistence/database.ts';
import { createFreshDatabase, type FreshDatabase } from '../../support/fresh-database.ts';

let fresh: FreshDatabase;
beforeAll(async () => {
  fresh = await createFreshDatabase(inject('databaseUrl'));
});
afterAll(() => fresh?.drop());

describe('a transaction', () => {
  let database: Database;
  beforeAll(async () => {
    database = openDatabase({ url: fresh.url });
    await database.execute('create table if not exists things (n int primary key)');
  });
  beforeEach(() => database.execute('delete from things'));
  afterAll(() => database?.close());

  const numbers = async () =>
    (await database.many<{ n: number }>('select n from things order by n')).map(({ n }) => n);

  it('commits what was issued together', async () => {
    await database.transaction(async (statements) => {
      await Promise.all([1, 2, 3].map((n) => statements.execute('insert into things values ($1)', [n])));
    });
    expect(await numbers()).toEqual([1, 2, 3]);
  });

  it('I5: rolls back what was issued together with a statement that fails, what comes after it too', async () => {
    const work = database.transaction(async (statements) => {
      await Promise.all([
        statements.execute('insert into things values (1)'),
        statements.execute('insert into things values (2000000000000)'),
        statements.execute('insert into things values (3)'),
        statements.execute('insert into things values (4)'),
      ]);
    });
    await expect(work).rejects.toMatchObject({ code: 'VALUE_REFUSED' });
    expect(await numbers()).toEqual([]);
  });

  it('rolls back what was left behind when the work throws', async () => {
    const work = database.transaction(async (statements) => {
      void statements.execute('insert into things values (1)');
      void statements.execute('insert into things values (2)');
      throw new Error('changed its mind');
    });
    await expect(work).rejects.toThrow('changed its mind');
    expect(await numbers()).toEqual([]);
  });

  it('does not pass for committed where the work went on after a statement that failed', async () => {
    const work = database.transaction(async (statements) => {
      await statements.execute('insert into things values (1)');
      await statements.execute('insert into nowhere values (1)').catch(() => {});
    });
    await expect(work).rejects.toThrow('relation "nowhere" does not exist');
    expect(await numbers()).toEqual([]);
  });

  it('leaves a connection that the next one can use', async () => {
    await expect(
      database.transaction((statements) => statements.execute('insert into nowhere values (1)')),
    ).rejects.toThrow('relation "nowhere" does not exist');
    await database.transaction((statements) => statements.execute('insert into things values (7)'));
    expect(await numbers()).toEqual([7]);
  });

  it('tells errors by their code', async () => {
    await database.execute('insert into things values (1)');
    const again = database.execute('insert into things values (1)');
    await expect(again).rejects.toMatchObject({ code: 'UNIQUE_VIOLATION', constraint: 'things_pkey' });
    const value = database.execute(`select '{"a":"\\u0000"}'::jsonb`);
    await expect(value).rejects.toMatchObject({ code: 'VALUE_REFUSED' });
    const deadlock = database.execute(`do $$ begin raise exception using errcode = '40P01'; end $$`);
    await expect(deadlock).rejects.toMatchObject({ code: 'TRANSACTION_CONFLICT' });
  });

  it('keeps what verbs promise', async () => {
    await database.execute('insert into things values (1), (2)');
    await expect(database.one('select n from things')).rejects.toMatchObject({
      code: 'UNEXPECTED_ROW_COUNT',
    });
    await expect(database.maybeOne('select n from things')).rejects.toMatchObject({
      code: 'UNEXPECTED_ROW_COUNT',
    });
    expect(await database.maybeOne('select n from things where n > 5')).toBeNull();
    await expect(database.one('select n from things where n > 5')).rejects.toMatchObject({
      code: 'UNEXPECTED_ROW_COUNT',
    });
  });
});

describe('a database that is away', () => {
  it('is told by its code', async () => {
    const nobody = openDatabase({ url: 'postgresql://user:pw@127.0.0.1:1/none', connectTimeoutMs: 500 });
    await expect(nobody.many('select 1')).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
    await expect(nobody.transaction(async () => {})).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
    await nobody.close();
  });

  it('in the middle of a transaction: the work fails, and the next one has a new connection', async () => {
    const database = openDatabase({ url: fresh.url });
    const killer = openDatabase({ url: fresh.url });
    const work = database.transaction(async (statements) => {
      const { pid } = await statements.one<{ pid: number }>('select pg_backend_pid() as pid');
      await killer.execute('select pg_terminate_backend($1)', [pid]);
      await statements.execute('select 1');
    });
    await expect(work).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
    expect(await database.one('select 1 as one')).toEqual({ one: 1 });
    await Promise.all([database.close(), killer.close()]);
  });

  const pidOf = async (statements: Statements) =>
    (await statements.one<{ pid: number }>('select pg_backend_pid() as pid')).pid;

  it('since it only reads after a failover: the next transaction has a new connection', async () => {
    const database = openDatabase({ url: fresh.url });
    let first = 0;
    const work = database.transaction(async (statements) => {
      first = await pidOf(statements);
      await statements.execute('set local transaction_read_only = on');
      await statements.execute('create table written (n integer)');
    });
    await expect(work).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
    expect(await database.transaction(pidOf)).not.toBe(first);
    await database.close();
  });

  it('since the transaction stood still for too long, as of a frozen Lambda', async () => {
    const database = openDatabase({ url: fresh.url });
    const work = database.transaction(async (statements) => {
      await statements.execute(`set local idle_in_transaction_session_timeout = '50ms'`);
      await sleep(300);
      await statements.execute('select 1');
    });
    await expect(work).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
    expect(await database.one('select 1 as one')).toEqual({ one: 1 });
    await database.close();
  });
});
