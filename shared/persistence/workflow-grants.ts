import { v7 as uuidv7 } from 'uuid';
import type { WorkflowGrant, WorkflowGrants } from '../application/permissions.ts';
import { auditPart } from './audit-log.ts';
import type { Statements } from './database.ts';
import { exactTime, isBeyond, pageOf } from './keyset.ts';
import { Parameters } from './sql.ts';

interface GrantRow {
  id: string;
  workflow_id: string;
  user_id: string | null;
  community_id: number | null;
  can_view: boolean;
  can_execute: boolean;
  granted_by: string;
  created_at: Date;
  updated_at: Date;
}

const COLUMNS = `g.id, g.workflow_id, g.user_id, g.community_id, g.can_view, g.can_execute, g.granted_by, g.created_at, g.updated_at`;

export function createWorkflowGrants(database: Statements): WorkflowGrants {
  return {
    async putGrant({ workflowId, userId, communityId, canView, canExecute, grantedBy }, audit) {
      const parameters = new Parameters();
      const id = parameters.add(uuidv7());
      const given = [userId, communityId, canView, canExecute, grantedBy];
      const [user, community, view, execute, by] = given.map((value) => parameters.add(value));
      const row = await database.maybeOne<GrantRow>(
        `with granted as (
           insert into workflow_grants as g (id, workflow_id, user_id, community_id, can_view, can_execute, granted_by)
           select ${id}::uuid, w.id, ${user}::varchar, ${community}::bigint, ${view}::boolean, ${execute}::boolean, ${by}::varchar
           -- One that is being deleted, and its grants with it, is waited for.
           from (select id from workflows where id = ${parameters.add(workflowId)} and archived_at is null for share) as w
           on conflict (workflow_id, user_id, community_id) do update
           set can_view = excluded.can_view, can_execute = excluded.can_execute, granted_by = excluded.granted_by,
               updated_at = now()
           returning ${COLUMNS}
         ), ${auditPart(audit, 'granted', 'id', parameters)}
         select * from granted`,
        parameters.values,
      );
      return row && grantOf(row);
    },
    async listGrants(workflowId, page) {
      const parameters = new Parameters();
      const key = { key: 'g.created_at', keyType: 'timestamptz', id: 'g.id' };
      const rows = await database.many<GrantRow & { position_key: string }>(
        `select ${COLUMNS}, ${exactTime('g.created_at')} as position_key
         from workflow_grants g
         where g.workflow_id = ${parameters.add(workflowId)} and ${isBeyond(page.after, key, '<', parameters)}
         order by g.created_at desc, g.id desc
         limit ${parameters.add(page.limit + 1)}`,
        parameters.values,
      );
      return pageOf(rows, page, (row) => ({ key: row.position_key, id: row.id }), grantOf);
    },
    async deleteGrant(workflowId, id, audit) {
      const parameters = new Parameters();
      const row = await database.maybeOne<GrantRow>(
        `with revoked as (
           delete from workflow_grants g where g.id = ${parameters.add(id)} and g.workflow_id = ${parameters.add(workflowId)}
           returning ${COLUMNS}
         ), ${auditPart(audit, 'revoked', 'id', parameters)}
         select * from revoked`,
        parameters.values,
      );
      return row && grantOf(row);
    },
  };
}

function grantOf(row: GrantRow): WorkflowGrant {
  return {
    id: row.id,
    workflowId: row.workflow_id,
    userId: row.user_id,
    communityId: row.community_id,
    canView: row.can_view,
    canExecute: row.can_execute,
    grantedBy: row.granted_by,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
