import * as z from 'zod';
import type { WorkflowGrant } from '../../../shared/application/permissions.ts';
import { timestamp, uuid } from '../fields/response-fields.ts';

export const permission = z
  .strictObject({
    id: uuid,
    workflow_id: uuid,
    user_id: z
      .string()
      .nullable()
      .meta({ examples: ['u-42'] }),
    community_id: z
      .int()
      .nullable()
      .meta({ examples: [null] }),
    can_view: z.boolean(),
    can_execute: z.boolean(),
    granted_by: z.string().meta({ examples: ['user@example.com'] }),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'Permission' });

export function presentPermission(grant: WorkflowGrant): z.infer<typeof permission> {
  const { id, workflowId, userId, communityId, canView, canExecute, grantedBy, createdAt, updatedAt } = grant;
  return {
    id,
    workflow_id: workflowId,
    user_id: userId,
    community_id: communityId,
    can_view: canView,
    can_execute: canExecute,
    granted_by: grantedBy,
    created_at: createdAt.toISOString(),
    updated_at: updatedAt.toISOString(),
  };
}
