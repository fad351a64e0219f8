-- A batch's runs, locked in one order, so that two batches with runs in common wait for each other instead of deadlocking. Of those
-- that are about to begin, or to go on after their end, and of `woken`, whether their workflow is paused: asked when all rows are
-- locked. Null of all others.
create or replace function lock_runs_with_pauses(run_ids text[], woken text[]) returns table (
    run_id varchar, status varchar, sequence bigint, started_at timestamptz, completed_at timestamptz,
    error_code varchar, error_message text, error_step_id varchar, error_attempt integer,
    cancelled_at timestamptz, cancelled_by varchar, cancel_reason text, retried_at timestamptz, paused_at timestamptz,
    steps_started integer, timeout_at timestamptz, revisits boolean, parent_run_id varchar, parent_step_execution_id varchar,
    depth integer, wake_at timestamptz, owner varchar, workflow_id varchar, workflow_version_id uuid, held_by varchar,
    is_workflow_paused boolean
) language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off
as $$
#variable_conflict use_column
begin
    return query
    with locked as materialized (
        select r.run_id, r.status, r.sequence, r.started_at, r.completed_at,
               r.error_code, r.error_message, r.error_step_id, r.error_attempt,
               r.cancelled_at, r.cancelled_by, r.cancel_reason, r.retried_at, r.paused_at,
               r.steps_started, r.timeout_at, r.revisits, r.parent_run_id, r.parent_step_execution_id,
               r.depth, r.wake_at, r.owner, r.workflow_id, r.workflow_version_id, r.held_by, r.workflow_definition_id
          from workflow_runs r where r.run_id = any(run_ids) order by r.run_id for update
    )
    select l.run_id, l.status, l.sequence, l.started_at, l.completed_at,
           l.error_code, l.error_message, l.error_step_id, l.error_attempt,
           l.cancelled_at, l.cancelled_by, l.cancel_reason, l.retried_at, l.paused_at,
           l.steps_started, l.timeout_at, l.revisits, l.parent_run_id, l.parent_step_execution_id,
           l.depth, l.wake_at, l.owner, l.workflow_id, l.workflow_version_id, l.held_by,
           case when l.status <> 'RUNNING' or l.run_id = any(woken) then workflow_is_paused(l.workflow_definition_id) end
      from locked l order by l.run_id;
end
$$;

-- As the release before calls it, which knows of none that is woken.
create or replace function lock_runs_with_pauses(run_ids text[]) returns table (
    run_id varchar, status varchar, sequence bigint, started_at timestamptz, completed_at timestamptz,
    error_code varchar, error_message text, error_step_id varchar, error_attempt integer,
    cancelled_at timestamptz, cancelled_by varchar, cancel_reason text, retried_at timestamptz, paused_at timestamptz,
    steps_started integer, timeout_at timestamptz, revisits boolean, parent_run_id varchar, parent_step_execution_id varchar,
    depth integer, wake_at timestamptz, owner varchar, workflow_id varchar, workflow_version_id uuid, held_by varchar,
    is_workflow_paused boolean
) language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off
as $$
#variable_conflict use_column
begin
    return query
    with locked as materialized (
        select r.run_id, r.status, r.sequence, r.started_at, r.completed_at,
               r.error_code, r.error_message, r.error_step_id, r.error_attempt,
               r.cancelled_at, r.cancelled_by, r.cancel_reason, r.retried_at, r.paused_at,
               r.steps_started, r.timeout_at, r.revisits, r.parent_run_id, r.parent_step_execution_id,
               r.depth, r.wake_at, r.owner, r.workflow_id, r.workflow_version_id, r.held_by, r.workflow_definition_id
          from workflow_runs r where r.run_id = any(run_ids) order by r.run_id for update
    )
    select l.run_id, l.status, l.sequence, l.started_at, l.completed_at,
           l.error_code, l.error_message, l.error_step_id, l.error_attempt,
           l.cancelled_at, l.cancelled_by, l.cancel_reason, l.retried_at, l.paused_at,
           l.steps_started, l.timeout_at, l.revisits, l.parent_run_id, l.parent_step_execution_id,
           l.depth, l.wake_at, l.owner, l.workflow_id, l.workflow_version_id, l.held_by,
           l.status <> 'RUNNING' and workflow_is_paused(l.workflow_definition_id)
      from locked l order by l.run_id;
end
$$;
