import { describe, expect, it } from 'vitest';
import {
  type ApiKeyMaker,
  type ApiKeyRecord,
  type ApiKeyRequest,
  createCreateApiKey,
} from '../../../shared/application/manage-api-keys.ts';
import { auditEntry } from '../../support/audit-entry.ts';

const made = { key: 'sk_secret', hash: Buffer.from('hash'), prefix: 'sk_' };
const ann: ApiKeyMaker = { userId: 'ann', isAdmin: false, communities: [1, 2], scopes: [] };
const root: ApiKeyMaker = { userId: 'root', isAdmin: true, communities: [], scopes: [] };
const plain: ApiKeyRequest = {
  name: 'ci',
  userId: undefined,
  tier: 'standard',
  scopes: undefined,
  roles: undefined,
  communities: undefined,
  expiresAt: null,
};

async function create(maker: ApiKeyMaker, request: Partial<ApiKeyRequest>) {
  const stored: ApiKeyRecord[] = [];
  const createApiKey = createCreateApiKey(
    {
      insertApiKey: async (record) => {
        stored.push(record);
        const { hash: _hash, ...shown } = record;
        return { ...shown, id: 'k1', createdAt: new Date(0), lastUsedAt: null, revokedAt: null };
      },
    },
    () => made,
  );
  const created = await createApiKey(maker, { ...plain, ...request }, auditEntry);
  return created.ok ? stored[0] : created.code;
}

describe('a key of one’s own', () => {
  it('is oneself', async () => {
    expect(await create(ann, {})).toMatchObject({
      userId: 'ann',
      roles: [],
      communities: [1, 2],
      scopes: [],
    });
    expect(await create(root, {})).toMatchObject({ userId: 'root', roles: ['admin'], communities: [] });
  });

  it('may carry less', async () => {
    expect(await create(ann, { communities: [2], scopes: ['read'] })).toMatchObject({
      communities: [2],
      scopes: ['read'],
    });
    expect(await create(root, { roles: [] })).toMatchObject({ roles: [] });
  });

  it.each<[what: string, request: Partial<ApiKeyRequest>, code: string]>([
    ['another user', { userId: 'bob' }, 'USER_NOT_PERMITTED'],
    ['premium', { tier: 'premium' }, 'TIER_NOT_PERMITTED'],
    ['unlimited', { tier: 'unlimited' }, 'TIER_NOT_PERMITTED'],
    ['the role of an admin', { roles: ['admin'] }, 'ROLES_NOT_PERMITTED'],
    ['another community', { communities: [1, 3] }, 'COMMUNITIES_NOT_PERMITTED'],
  ])('may not carry %s', async (_what, request, code) => {
    expect(await create(ann, request)).toBe(code);
    expect(await create(root, request)).toMatchObject(request);
  });

  it('has no more scopes than the key that makes it', async () => {
    const narrow: ApiKeyMaker = { ...root, scopes: ['read', 'manage'] };
    expect(await create(narrow, {})).toMatchObject({ scopes: ['read', 'manage'] });
    expect(await create(narrow, { scopes: ['read'] })).toMatchObject({ scopes: ['read'] });
    expect(await create(narrow, { scopes: [] })).toBe('SCOPES_NOT_PERMITTED');
    expect(await create(narrow, { scopes: ['read', 'execute'] })).toBe('SCOPES_NOT_PERMITTED');
    const all: ApiKeyMaker = { ...root, scopes: ['read', 'execute', 'manage'] };
    expect(await create(all, { scopes: [] })).toMatchObject({ scopes: [] });
  });
});

it('a key for another user carries what is asked for and nothing else', async () => {
  expect(await create(root, { userId: 'bob' })).toMatchObject({ userId: 'bob', roles: [], communities: [] });
  expect(await create(root, { userId: 'bob', roles: ['admin'], communities: [7] })).toMatchObject({
    roles: ['admin'],
    communities: [7],
  });
});
