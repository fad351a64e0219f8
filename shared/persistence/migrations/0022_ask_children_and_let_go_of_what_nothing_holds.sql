-- An attempt that waits for a child run asks it now and then whether it has ended: those of the version before have no time for it.
update step_executions
set due_at = now(), wake_at = least(now(), coalesce(wake_at, now()))
where status = 'RUNNING' and child_run_id is not null and due_at is null;

-- Runs that their workflow's pause holds, few or many beside all others: to let go of those whose workflow is paused no more.
create index workflow_runs_held_by_workflow on workflow_runs (workflow_definition_id, id)
where status in ('PENDING', 'RUNNING') and held_by in ('workflow', 'both');
create index workflows_paused on workflows (paused_at) where paused_at is not null;

-- A workflow that is deleted is paused no more, and nobody's but its owner's: registered anew, it begins so.
update workflows set paused_at = null where archived_at is not null and paused_at is not null;
delete from workflow_grants g using workflows w where w.id = g.workflow_id and w.archived_at is not null;
