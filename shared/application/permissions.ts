import type { AuditEntry } from './audit.ts';
import type { Page, PageRequest } from './page.ts';

/** On whose behalf something is read or changed. What a viewer may see is decided in the queries, never filtered afterwards. */
export interface Viewer {
  readonly userId: string;
  readonly isAdmin: boolean;
  readonly communities: readonly number[];
}

/** What a user, or every member of a community, may do with somebody else's workflow. */
export interface WorkflowGrant {
  readonly id: string;
  readonly workflowId: string;
  /** One of the two is there. */
  readonly userId: string | null;
  readonly communityId: number | null;
  readonly canView: boolean;
  /** Only with `canView`. */
  readonly canExecute: boolean;
  readonly grantedBy: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export type GrantRequest = Pick<
  WorkflowGrant,
  'workflowId' | 'userId' | 'communityId' | 'canView' | 'canExecute' | 'grantedBy'
>;

/** For callers who may manage the workflow; that is decided before. */
export interface WorkflowGrants {
  /** Replaces what this user or community had. Null where the workflow has been deleted meanwhile. */
  putGrant(request: GrantRequest, audit: AuditEntry): Promise<WorkflowGrant | null>;
  /** Newest first. */
  listGrants(workflowId: string, page: PageRequest): Promise<Page<WorkflowGrant>>;
  /** Null where the workflow has no such grant. */
  deleteGrant(workflowId: string, id: string, audit: AuditEntry): Promise<WorkflowGrant | null>;
}
