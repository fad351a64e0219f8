import * as z from 'zod';
import { generateApiKey, hashApiKey, prefixOfApiKey } from '../../shared/auth/api-key.ts';

export interface SecretStore {
  readonly readSecret: (arn: string) => Promise<string>;
  readonly writeSecret: (arn: string, text: string) => Promise<void>;
}

const keptKey = z.object({ api_key: z.string() });

/**
 * The key that a deployment begins with is made once, straight into Secrets Manager: nobody sees it on its way. It is there
 * before its hash is in the database, so that a deployment that dies in between leaves no key that nobody has.
 */
export async function ensureAdminKeySecret(
  arn: string,
  { readSecret, writeSecret }: SecretStore,
): Promise<{ hash: string; prefix: string }> {
  const kept = keptKey.safeParse(JSON.parse(await readSecret(arn)));
  const key = kept.success ? kept.data.api_key : generateApiKey().key;
  if (!kept.success) await writeSecret(arn, JSON.stringify({ api_key: key }));
  return { hash: hashApiKey(key).toString('hex'), prefix: prefixOfApiKey(key) };
}
