import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { migrate } from '../../shared/persistence/migrate.ts';
import { startPostgres } from '../postgres.ts';
import { projectFolder } from '../project-folder.ts';
import { dumpSchema } from '../schema-dump.ts';

/*
 * `npm run schema` applies all migrations to an empty database and writes what they come to; `npm run schema:check` fails where
 * that differs from what is committed. Reviewers read the schema in one place, and see each migration's effect as a diff.
 */
const committedFile = join(projectFolder, 'shared', 'persistence', 'schema.sql');

const { values } = parseArgs({ options: { check: { type: 'boolean' } } });
const folder = await mkdtemp(join(tmpdir(), 'stepline-schema-'));
const postgres = await startPostgres({ dataDir: join(folder, 'postgres') });
try {
  await migrate(postgres.url);
  const schema = await dumpSchema(postgres.url);
  if (!values.check) {
    await writeFile(committedFile, schema);
  } else if ((await readFile(committedFile, 'utf8').catch(() => '')) !== schema) {
    console.error(
      'shared/persistence/schema.sql is not what the migrations make: run `npm run schema` and look at the diff.',
    );
    process.exitCode = 1;
  } else {
    console.log('The schema is as committed.');
  }
} finally {
  await postgres.kill();
  await rm(folder, { recursive: true, force: true });
}
