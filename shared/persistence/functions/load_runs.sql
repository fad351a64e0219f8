-- A batch's runs and, in the same moment, the attempts that its events are about (load_attempts): a row for each run, with
-- null for an attempt, and then a row for each attempt. Nothing is locked: what is decided from it is saved only if the runs'
-- sequences are what they are here (save_runs). Of runs that are about to begin, or to go on after their end, and of `woken`, whether
-- their workflow is paused; null of all others. A run that is PENDING comes with its input, which nearly every first step reads; any
-- other too where that stands in the row itself, and costs no reading of its own.
create or replace function load_runs(run_ids text[], woken text[], ids text[], with_input text[], others json) returns table (
    run_id varchar, status varchar, sequence bigint, started_at timestamptz, completed_at timestamptz,
    error_code varchar, error_message text, error_step_id varchar, error_attempt integer,
    cancelled_at timestamptz, cancelled_by varchar, cancel_reason text, retried_at timestamptz, paused_at timestamptz,
    steps_started integer, timeout_at timestamptz, revisits boolean, parent_run_id varchar, parent_step_execution_id varchar,
    depth integer, wake_at timestamptz, owner varchar, workflow_id varchar, workflow_version_id uuid, held_by varchar,
    is_workflow_paused boolean,
    step_execution_id varchar, step_id varchar, scope text, visit integer, attempt integer,
    policy_attempt integer, policy_retries integer[], created_at timestamptz,
    timeout_ms bigint, due_at timestamptz, deadline_at timestamptz, accepted_at timestamptz, heartbeat_ms bigint,
    heartbeat_due_at timestamptz, republished_at timestamptz, signal_name varchar, child_run_id varchar, input_data jsonb
) language plpgsql stable
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off
as $$
#variable_conflict use_column
begin
    return query
    select r.run_id, r.status, r.sequence, r.started_at, r.completed_at,
           r.error_code, r.error_message, r.error_step_id, r.error_attempt,
           r.cancelled_at, r.cancelled_by, r.cancel_reason, r.retried_at, r.paused_at,
           r.steps_started, r.timeout_at, r.revisits, r.parent_run_id, r.parent_step_execution_id,
           r.depth, r.wake_at, r.owner, r.workflow_id, r.workflow_version_id, r.held_by,
           case when r.status <> 'RUNNING' or r.run_id = any(woken)
                then exists (select from workflows w where w.paused_at is not null and w.id =
                         case when pg_input_is_valid(r.workflow_definition_id, 'uuid') then r.workflow_definition_id::uuid end) end,
           null::varchar, null::varchar, null::text, null::integer, null::integer,
           null::integer, null::integer[], null::timestamptz,
           null::bigint, null::timestamptz, null::timestamptz, null::timestamptz, null::bigint,
           null::timestamptz, null::timestamptz, null::varchar, null::varchar,
           case when r.status = 'PENDING' or pg_column_size(coalesce(r.input_data, r.variables)) < 2000
                then coalesce(r.input_data, r.variables) end
      from workflow_runs r where r.run_id = any(run_ids);
    if cardinality(ids) = 0 and others is null then return; end if;
    return query
    select s.run_id, s.status, null::bigint, s.started_at, s.completed_at,
           s.error_code, null::text, null::varchar, null::integer,
           null::timestamptz, null::varchar, null::text, null::timestamptz, null::timestamptz,
           null::integer, null::timestamptz, null::boolean, null::varchar, null::varchar,
           null::integer, s.wake_at, null::varchar, null::varchar, null::uuid, null::varchar,
           null::boolean,
           s.step_execution_id, s.step_id, s.scope, s.visit, s.attempt,
           s.policy_attempt, s.policy_retries, s.created_at,
           s.timeout_ms, s.due_at, s.deadline_at, s.accepted_at, s.heartbeat_ms,
           s.heartbeat_due_at, s.republished_at, s.signal_name, s.child_run_id, s.input_data
      from load_attempts(ids, with_input, others) s;
end
$$;
