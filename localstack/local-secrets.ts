import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { generateSecret } from '../shared/agents/secrets.ts';
import { generateApiKey } from '../shared/auth/api-key.ts';

/** What a deployment has in Secrets Manager. Made once, so that keys and tokens survive a restart as the data does. */
export interface LocalSecrets {
  readonly apiKey: string;
  readonly jwtSecret: string;
  readonly secretKey: string;
  /** What calls of the demo agents are signed with. */
  readonly agentSecret: string;
}

export async function readOrMakeSecrets(path: string): Promise<LocalSecrets> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as LocalSecrets;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const secrets: LocalSecrets = {
    apiKey: generateApiKey().key,
    jwtSecret: randomBytes(32).toString('base64url'),
    secretKey: randomBytes(32).toString('base64'),
    agentSecret: generateSecret(),
  };
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, JSON.stringify(secrets, null, 2), { mode: 0o600 });
  return secrets;
}
