import { expect, test } from 'vitest';
import { ensureAdminKeySecret } from '../../../functions/migrate/admin-key-secret.ts';
import { hashApiKey } from '../../../shared/auth/api-key.ts';

function storeOf(text: string) {
  const written: string[] = [];
  return {
    written,
    readSecret: async () => written.at(-1) ?? text,
    writeSecret: async (_arn: string, value: string) => void written.push(value),
  };
}

test('the key is made once: what is told of it is its hash and its first characters', async () => {
  const store = storeOf('{"not_made_yet":"abc"}');
  const first = await ensureAdminKeySecret('arn', store);
  const { api_key: key } = JSON.parse(store.written[0] ?? '') as { api_key: string };
  expect(first).toEqual({ hash: hashApiKey(key).toString('hex'), prefix: key.slice(0, 11) });
  expect(await ensureAdminKeySecret('arn', store)).toEqual(first);
  expect(store.written).toHaveLength(1);
});
