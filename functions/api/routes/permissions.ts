import * as z from 'zod';
import type { AuditEntry } from '../../../shared/application/audit.ts';
import type { Caller } from '../../../shared/auth/caller.ts';
import { limits } from '../../../shared/config/limits.ts';
import { isJsonObject } from '../../../shared/engine/json.ts';
import { communityId, idParam, isGiven, pageLimit, userId, uuidParameter } from '../fields/request-fields.ts';
import { uuid } from '../fields/response-fields.ts';
import type { Answer } from '../http/answer.ts';
import { notFound, type Problem } from '../http/api-error.ts';
import { envelope, pagedEnvelope } from '../http/operation.ts';
import { defineRoute } from '../http/route.ts';
import { timeCursor } from '../paging/cursor.ts';
import { pageAnswer } from '../paging/page-answer.ts';
import { permission, presentPermission } from '../presenters/permission.ts';
import type { ApiServices } from '../services.ts';
import { findManageable } from './find-permitted.ts';

const flag = z.boolean({ error: 'expected true or false' });

const permissionBody = z.strictObject({
  user_id: userId.nullish(),
  community_id: communityId.nullish().describe('Instead of `user_id`: every member of the community.'),
  can_view: flag.default(true).describe('Without it the workflow does not exist for them.'),
  can_execute: flag.default(false).describe('Executing, cancelling and retrying.'),
});

const bodyExamples = {
  user: { user_id: 'u-42', can_view: true, can_execute: true },
  community: { community_id: 123 },
};

const ownerOnly = { PERMISSION_DENIED: 'Only its owner may change this workflow.' };

const findOwned = (
  { caller, params }: { caller: Caller; params: { id: string } },
  services: ApiServices,
): Promise<{ readonly id: string } | null> => findManageable(caller, params.id, services);

const ofPermissions = {
  path: '/api/v1/workflows/{id}/permissions',
  authentication: 'caller',
  params: idParam,
  subjectName: 'Workflow',
  find: findOwned,
} as const;

const grant = {
  ...ofPermissions,
  body: {
    schema: permissionBody,
    maxBytes: limits.maxPayloadBytes,
    findProblems: findWhoAndWhatProblems,
  },
};

interface GrantRequest {
  readonly caller: Caller;
  readonly subject: { readonly id: string };
  readonly body: z.infer<typeof permissionBody>;
  readonly audit: AuditEntry;
}

async function put(
  { caller, subject, body, audit }: GrantRequest,
  { grants }: ApiServices,
  status: 200 | 201,
): Promise<Answer> {
  const request = {
    workflowId: subject.id,
    userId: body.user_id ?? null,
    communityId: body.community_id ?? null,
    canView: body.can_view,
    canExecute: body.can_execute,
    grantedBy: caller.userId,
  };
  const granted = await grants.putGrant(request, audit);
  if (granted === null) throw notFound('Workflow', 'WORKFLOW_NOT_FOUND');
  const data = presentPermission(granted);
  return { status, message: 'Permission granted', data, beside: { id: granted.id } };
}

export const permissionRoutes = [
  defineRoute({
    ...grant,
    method: 'PUT',
    operationId: 'putPermission',
    summary: 'Says what a user or a community may do with the workflow',
    operation: {
      tags: ['management'],
      answers: { 200: envelope(permission, { beside: { id: uuid } }) },
      refusals: ownerOnly,
      bodyExamples,
    },
    handle: (request, services) => put(request, services, 200),
  }),
  defineRoute({
    ...grant,
    method: 'POST',
    operationId: 'grantPermission',
    summary: 'The same as PUT',
    operation: {
      tags: ['management'],
      answers: { 201: envelope(permission, { beside: { id: uuid } }) },
      refusals: ownerOnly,
      bodyExamples,
    },
    handle: (request, services) => put(request, services, 201),
  }),
  defineRoute({
    ...ofPermissions,
    method: 'GET',
    operationId: 'listPermissions',
    summary: 'Who may see and execute the workflow besides its owner, newest first',
    operation: { tags: ['management'], answers: { 200: pagedEnvelope(permission) }, refusals: ownerOnly },
    query: z.strictObject({ cursor: timeCursor.optional(), limit: pageLimit(100, 1_000) }),
    async handle({ subject, query: { cursor, limit } }, { grants }) {
      const page = await grants.listGrants(subject.id, { after: cursor ?? null, limit });
      return pageAnswer('Permissions retrieved', page, limit, presentPermission);
    },
  }),
  defineRoute({
    ...ofPermissions,
    method: 'DELETE',
    path: '/api/v1/workflows/{id}/permissions/{permission_id}',
    params: z.strictObject({ id: uuidParameter, permission_id: uuidParameter }),
    operationId: 'revokePermission',
    summary: 'Takes a permission back',
    operation: {
      tags: ['management'],
      answers: { 200: envelope(permission) },
      refusals: { ...ownerOnly, NOT_FOUND: 'The workflow has no such permission.' },
    },
    async handle({ subject, params, audit }, { grants }) {
      const revoked = await grants.deleteGrant(subject.id, params.permission_id, audit);
      if (!revoked) throw notFound('Permission');
      return { status: 200, message: 'Permission revoked', data: presentPermission(revoked) };
    },
  }),
];

function findWhoAndWhatProblems(json: unknown): Problem[] {
  if (!isJsonObject(json)) return [];
  const problems: Problem[] = [];
  if (isGiven(json, 'user_id') === isGiven(json, 'community_id')) {
    problems.push({ path: 'user_id', message: 'expected either user_id or community_id' });
  }
  if (json.can_execute === true && json.can_view === false) {
    problems.push({ path: 'can_view', message: 'expected true: what may be executed may be seen' });
  }
  return problems;
}
