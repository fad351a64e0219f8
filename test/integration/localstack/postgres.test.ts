import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { removeWithLauncher } from '../../../localstack/guardian.ts';
import { type RunningPostgres, startPostgres } from '../../../localstack/postgres.ts';

const folder = mkdtempSync(join(tmpdir(), 'stepline-postgres-'));
const dataDir = join(folder, 'data');
let postgres: RunningPostgres;

beforeAll(async () => {
  removeWithLauncher(folder);
  postgres = await startPostgres({ dataDir, settings: { work_mem: '7MB' } });
});

afterAll(async () => {
  await postgres.kill();
  rmSync(folder, { recursive: true });
});

async function query(text: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

test('settings can be given', async () => {
  expect(await query(`select current_setting('work_mem') as value`)).toEqual([{ value: '7MB' }]);
});

test.each(['stop', 'kill'] as const)(
  'data survives a %s, on the same port, and the pid file of the dead is no hindrance',
  async (how) => {
    const table = `survives_${how}`;
    await query(`create table ${table} as select 42 as answer`);
    const { port } = postgres;
    await postgres[how]();
    // A pid that lives, but is no PostgreSQL: as after a reboot.
    writeFileSync(join(dataDir, 'postmaster.pid'), `${process.pid}\n${dataDir}\n`);
    postgres = await startPostgres({ dataDir, port });
    expect(postgres.port).toBe(port);
    expect(await query(`select answer from ${table}`)).toEqual([{ answer: 42 }]);
  },
);

test('a folder in use, of another version, or not of PostgreSQL is refused with what to do', async () => {
  const other = join(folder, 'other');
  mkdirSync(other);
  writeFileSync(join(other, 'letter.txt'), 'dear');
  await expect(startPostgres({ dataDir: other })).rejects.toMatchObject({
    code: 'POSTGRES_DATA_UNUSABLE',
    message: [
      `${other} is not empty and not a PostgreSQL data folder.`,
      `  - remove ${other} to start with an empty database (npm run dev -- --fresh does)`,
      '  - or set DATABASE_URL to a PostgreSQL of your own',
      '  - or use Docker: docker compose -f localstack/compose.yaml up -d postgres, and DATABASE_URL=postgresql://workflow_user:workflow_pass@localhost:5432/workflow_db',
    ].join('\n'),
  });
  writeFileSync(join(other, 'PG_VERSION'), '17\n');
  await expect(startPostgres({ dataDir: other })).rejects.toThrow(
    /made by PostgreSQL 17; this is PostgreSQL 18/,
  );
  await expect(startPostgres({ dataDir })).rejects.toThrow(
    /^Another PostgreSQL \(process \d+\) is running on .*\n.*kill -INT \d+/,
  );
  await expect(startPostgres({ dataDir: join(folder, 'third'), port: postgres.port })).rejects.toMatchObject({
    code: 'PORT_IN_USE',
    message: expect.stringMatching(/^Port \d+, wanted by PostgreSQL, is in use\./),
  });
});

test('a port that somebody takes before it does is an error only where no other is free either', async () => {
  const third = join(folder, 'third');
  // As if each port that is drawn were somebody's by the time it is bound.
  const settings = { port: String(postgres.port) };
  await expect(startPostgres({ dataDir: third, settings })).rejects.toMatchObject({
    code: 'POSTGRES_UNAVAILABLE',
  });
  expect(readFileSync(`${third}.log`, 'utf8').match(/Address already in use/g)).toHaveLength(4);
});
