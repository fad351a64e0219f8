import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectFolder } from '../../localstack/project-folder.ts';

/** `-- contract: step_executions.logs`: the release before the migration's does not use it any more. */
const DECLARATION = /^-- contract: (\S+)$/gm;

/**
 * Columns and functions that migrations say nobody needs any more.
 * @param after the newest migration of the release before
 */
export function declaredContracts(after: string): string[] {
  const folder = join(projectFolder, 'shared/persistence/migrations');
  return readdirSync(folder)
    .filter((name) => name.endsWith('.sql') && name > `${after}.sql`)
    .flatMap((name) => [...readFileSync(join(folder, name), 'utf8').matchAll(DECLARATION)])
    .map(([, what]) => what ?? '');
}
