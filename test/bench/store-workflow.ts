import { randomBytes } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import type { createEngineServices } from '../../shared/composition/engine-services.ts';
import { parseDefinition } from '../../shared/definition/parse-definition.ts';
import type { Database } from '../../shared/persistence/database.ts';
import type { Shape } from './workflow-shapes.ts';

type StartRun = ReturnType<typeof createEngineServices>['startRun'];
export type StoredWorkflow = Parameters<StartRun>[0]['workflow'];

/** A workflow of this shape, whose name begins with the prefix, as its agent's does. */
export async function storeWorkflow(
  database: Database,
  prefix: string,
  shape: Shape,
): Promise<StoredWorkflow> {
  const id = uuidv7();
  const versionId = uuidv7();
  const name = `${prefix}workflow`;
  const parsed = parseDefinition({ name, ...shape.definition(`${prefix}worker`) });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  const { definition } = parsed;
  await database.execute(
    "insert into workflows (id, owner, name, latest_version) values ($1, 'bench', $2, 1)",
    [id, name],
  );
  await database.execute(
    'insert into workflow_versions (id, workflow_id, version, definition, content_hash) values ($1, $2, 1, $3, $4)',
    [versionId, id, JSON.stringify(definition), randomBytes(32)],
  );
  return { id, name, version: 1, versionId, definition };
}
