import * as z from 'zod';
import { communityIdParameter, moment, pageLimit, parameterText } from '../fields/request-fields.ts';
import { pagedEnvelope } from '../http/operation.ts';
import { defineRoute } from '../http/route.ts';
import { timeCursor } from '../paging/cursor.ts';
import { pageAnswer } from '../paging/page-answer.ts';
import { auditRecord, presentAuditRecord } from '../presenters/audit.ts';

export const auditRoutes = [
  defineRoute({
    method: 'GET',
    path: '/api/v1/audit',
    operationId: 'listAudit',
    summary: "What one's own calls changed, newest first; to an admin, everybody's",
    operation: { tags: ['management'], answers: { 200: pagedEnvelope(auditRecord) } },
    authentication: 'caller',
    query: z.strictObject({
      user_id: parameterText.optional(),
      action: parameterText.optional().describe('As in `execute_workflow`.'),
      community_id: communityIdParameter.optional(),
      resource: parameterText.optional().describe('The id of what was changed.'),
      after: moment.optional().describe('From this moment on.'),
      before: moment.optional().describe('Before this moment.'),
      cursor: timeCursor.optional(),
      limit: pageLimit(100, 1_000),
    }),
    async handle({ caller, query: { cursor, limit, user_id, community_id, ...filter } }, { audit }) {
      const page = await audit.list(
        caller,
        { ...filter, userId: user_id, communityId: community_id },
        { after: cursor ?? null, limit },
      );
      return pageAnswer('Audit records retrieved', page, limit, presentAuditRecord);
    },
  }),
];
