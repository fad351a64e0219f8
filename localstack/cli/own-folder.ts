import { chmodSync, mkdirSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { removeWithLauncher } from '../guardian.ts';

/** A folder of one's own, so that two commands at a time do not meet; it goes with this process, however that ends. */
export function makeOwnFolder(parent: string, prefix: string): string {
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(join(parent, prefix));
  removeWithLauncher(folder);
  // PostgreSQL may run as another user.
  chmodSync(folder, 0o755);
  return folder;
}
