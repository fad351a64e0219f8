import type { WorkflowGrant } from '../../../shared/application/workflow-grants.ts';

export function presentPermission(grant: WorkflowGrant) {
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
