import * as z from 'zod';
import type { ApiKeyMaker, CreatedApiKey } from '../../../shared/application/manage-api-keys.ts';
import { ADMIN_ROLE, type Caller } from '../../../shared/auth/caller.ts';
import { scopes } from '../../../shared/config/key-scopes.ts';
import { limits } from '../../../shared/config/limits.ts';
import { tiers } from '../../../shared/config/rate-limits.ts';
import {
  communityId,
  idParam,
  isMoment,
  name,
  pageLimit,
  parameterText,
  userId,
} from '../fields/request-fields.ts';
import { uuid } from '../fields/response-fields.ts';
import { ApiError, notFound } from '../http/api-error.ts';
import { envelope, pagedEnvelope } from '../http/operation.ts';
import { defineRoute } from '../http/route.ts';
import { timeCursor } from '../paging/cursor.ts';
import { pageAnswer } from '../paging/page-answer.ts';
import { madeApiKey, presentApiKey, shownApiKey } from '../presenters/api-key.ts';
import type { ApiServices } from '../services.ts';

const EXPIRY = 'expected a date and time with a zone: 2030-01-15T10:30:00Z';
const END_OF_TIME = Date.UTC(10_000, 0);

const list = (what: string) => ({ error: `expected a list of ${what}` });

const newApiKey = z.strictObject({
  name,
  user_id: userId.optional().describe('Whose it is. Default: who asks; another only by an admin.'),
  tier: z
    .enum(tiers, { error: `expected one of ${tiers.join(', ')}` })
    .default('standard')
    .describe('Above `standard` only by an admin.'),
  scopes: z
    .array(z.enum(scopes, { error: `expected one of ${scopes.join(', ')}` }), list(scopes.join(', ')))
    .transform((given) => [...new Set(given)])
    .optional()
    .describe('What it is narrowed to. Default, and empty: all that its user may do.'),
  roles: z
    .array(z.enum([ADMIN_ROLE], { error: `expected ${ADMIN_ROLE}` }), list('roles'))
    .max(1, 'expected at most one')
    .optional()
    .describe("Default: the caller's own for a key of one's own, else none."),
  communities: z
    .array(communityId, list('whole numbers'))
    .max(1_000, 'expected at most 1000')
    .optional()
    .describe("Default: the caller's own for a key of one's own, else none."),
  expires_at: z.iso
    .datetime({ offset: true, error: EXPIRY })
    .refine(isMoment, { error: EXPIRY, abort: true })
    .transform((text) => new Date(text))
    .refine((date) => date.getTime() > Date.now(), 'expected a time to come')
    // In another zone the year may be one that no timestamp has.
    .refine((date) => date.getTime() < END_OF_TIME, 'expected a time before the year 10000')
    .nullish(),
});

const ofKey = {
  path: '/api/v1/api-keys/{id}',
  authentication: 'caller',
  params: idParam,
  subjectName: 'API key',
  find: ({ caller, params }: { caller: Caller; params: z.infer<typeof idParam> }, { apiKeys }: ApiServices) =>
    apiKeys.maybeFindManagedApiKey(caller, params.id),
} as const;

const refusals: Readonly<Record<Exclude<CreatedApiKey, { ok: true }>['code'], string>> = {
  USER_NOT_PERMITTED: "Only an admin may manage another user's API keys",
  TIER_NOT_PERMITTED: 'Only an admin may make API keys of a tier above standard',
  ROLES_NOT_PERMITTED: 'Only an admin may make API keys of an admin',
  COMMUNITIES_NOT_PERMITTED: 'An API key can only carry communities that are your own',
  SCOPES_NOT_PERMITTED: 'An API key can only make keys within its own scopes',
};

export const apiKeyRoutes = [
  defineRoute({
    method: 'POST',
    path: '/api/v1/api-keys',
    operationId: 'createApiKey',
    summary: 'Makes an API key, and shows it this once',
    operation: {
      tags: ['management'],
      answers: { 201: envelope(madeApiKey, { beside: { id: uuid }, headers: ['Location'] }) },
      refusals: { PERMISSION_DENIED: 'It would be more than the caller is.' },
      bodyExamples: { own: { name: 'ci', scopes: ['read', 'execute'] } },
    },
    authentication: 'caller',
    body: { schema: newApiKey, maxBytes: limits.maxPayloadBytes },
    async handle({ caller, body, audit }, { createApiKey }) {
      const request = {
        name: body.name,
        userId: body.user_id,
        tier: body.tier,
        scopes: body.scopes,
        roles: body.roles,
        communities: body.communities,
        expiresAt: body.expires_at ?? null,
      };
      const created = await createApiKey(makerOf(caller), request, audit);
      if (!created.ok) throw new ApiError('PERMISSION_DENIED', refusals[created.code]);
      const { apiKey, key } = created;
      return {
        status: 201,
        message: 'API key created; it is not shown again',
        data: presentApiKey(apiKey, key),
        beside: { id: apiKey.id },
        headers: { Location: `/api/v1/api-keys/${apiKey.id}` },
      };
    },
  }),
  defineRoute({
    method: 'GET',
    path: '/api/v1/api-keys',
    operationId: 'listApiKeys',
    summary: "One's own API keys, newest first; an admin reads anybody's",
    operation: {
      tags: ['management'],
      answers: { 200: pagedEnvelope(shownApiKey) },
      refusals: { PERMISSION_DENIED: `${refusals.USER_NOT_PERMITTED}.` },
    },
    authentication: 'caller',
    query: z.strictObject({
      user_id: parameterText.optional().describe('Default: who asks; another only by an admin.'),
      cursor: timeCursor.optional(),
      limit: pageLimit(100, 1_000),
    }),
    async handle({ caller, query: { user_id: whose = caller.userId, cursor, limit } }, { apiKeys }) {
      if (whose !== caller.userId && !caller.isAdmin) {
        throw new ApiError('PERMISSION_DENIED', refusals.USER_NOT_PERMITTED);
      }
      const page = await apiKeys.listApiKeys(whose, { after: cursor ?? null, limit });
      return pageAnswer('API keys retrieved', page, limit, presentApiKey);
    },
  }),
  defineRoute({
    ...ofKey,
    method: 'GET',
    operationId: 'getApiKey',
    summary: 'An API key, without the key itself',
    operation: { tags: ['management'], answers: { 200: envelope(shownApiKey) } },
    async handle({ subject }) {
      return { status: 200, message: 'API key retrieved', data: presentApiKey(subject) };
    },
  }),
  defineRoute({
    ...ofKey,
    method: 'DELETE',
    operationId: 'revokeApiKey',
    summary: 'Revokes an API key: it is refused at once',
    operation: { tags: ['management'], answers: { 200: envelope(shownApiKey) } },
    async handle({ caller, subject, audit }, { apiKeys }) {
      const revoked = await apiKeys.revokeApiKey(caller, subject.id, audit);
      if (revoked) return { status: 200, message: 'API key revoked', data: presentApiKey(revoked) };
      const found = await apiKeys.maybeFindManagedApiKey(caller, subject.id);
      if (!found) throw notFound('API key');
      const message = 'API key revoked before';
      return { status: 200, message, data: presentApiKey(found), changesNothing: true };
    },
  }),
];

function makerOf({ userId, isAdmin, communities, key }: Caller): ApiKeyMaker {
  return { userId, isAdmin, communities, scopes: key?.scopes ?? [] };
}
