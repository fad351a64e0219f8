import type { WorkflowDefinition } from '../definition/workflow-definition.ts';
import type { Statements } from './database.ts';

export interface StoredVersion {
  readonly definition: WorkflowDefinition;
  readonly version: number;
}

export async function loadVersions(
  statements: Statements,
  versionIds: readonly string[],
): Promise<Map<string, StoredVersion>> {
  const rows = await statements.many<StoredVersion & { id: string }>(
    'select id, version, definition from workflow_versions where id = any($1::uuid[])',
    [versionIds],
  );
  return new Map(rows.map(({ id, ...version }) => [id, version]));
}
