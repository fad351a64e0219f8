import type { LoadedVersion } from '../application/ports/run-store.ts';
import type { Statements } from './database.ts';

export async function loadVersions(
  statements: Statements,
  versionIds: readonly string[],
): Promise<Map<string, LoadedVersion>> {
  const rows = await statements.many<LoadedVersion & { id: string }>(
    'select id, version, definition from workflow_versions where id = any($1::uuid[])',
    [versionIds],
  );
  return new Map(rows.map(({ id, ...version }) => [id, version]));
}
