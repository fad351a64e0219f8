-- Writes a batch's decisions, if their runs are as they were when they were decided about: the sequence of each (`was`) is what it was
-- (compare-and-set), and whether its workflow is paused, where that mattered. Else SL002 names the runs that went on meanwhile, and
-- nothing is written: those are decided again, and the others saved. Then the run's other rows, each with a guard of its own, which
-- misses only where somebody wrote without raising the sequence: SL001, or SL002 where that was an attempt's times. Together with that what is published by now goes, and where
-- the tasks' agents are is told: one call, and one commit. A document that is null has no rows.
--
-- One statement for all rows of a kind: to begin one costs as much as to write ten rows, for the conditions of indexes, triggers
-- and constraints are read anew each time. A plan that Postgres keeps was made when the table had another size, so that there must
-- be no other than to look up one key after the other. `= any(array[…])` is a key for an index, and nothing that could be joined
-- by hash or in order; `is not distinct from` is for no index at all. Runs come in the order of their ids: two batches with runs in
-- common wait for each other instead of deadlocking.
create or replace function save_runs(
    advanced json, changed json, closed json, continued json, opened json, joins json, children json, data json,
    signals_kept json, signals_taken json, runs_started json, audited json, outbox_id uuid, messages json, published uuid[],
    agent_names text[], agent_owners text[]
) returns table (
    owner varchar, name varchar, kind varchar, address varchar, timeout_seconds integer, secret_encrypted bytea,
    previous_secret_encrypted bytea, speed_address_hash bytea, average_ms integer, speed_age_ms double precision
) language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off
set stepline.counts_runs = 'at_once'
as $$
#variable_conflict use_column
declare
    written integer;
    inserted integer;
    moved_on text[] := '{}';
    counted_ids text[];
    counted_before counted_run[];
begin
    if advanced is not null and changed is not null then
        perform from workflow_runs r
          where r.run_id = any(array(
                    select v.run_id from json_to_recordset(advanced) as v (run_id text)
                    union all select v.run_id from json_to_recordset(changed) as v (run_id text)))
          order by r.run_id for update;
    end if;
    if advanced is not null then
        update workflow_runs as r
           set sequence = v.sequence, steps_started = v.steps_started, updated_at = now()
          from json_to_recordset(advanced) as v (run_id text, was bigint, sequence bigint, steps_started integer)
         where r.run_id = any(array[v.run_id]) and r.sequence is not distinct from v.was and r.status is not distinct from 'RUNNING';
        get diagnostics written = row_count;
        if written < json_array_length(advanced) then moved_on := runs_not_saved(advanced); end if;
    end if;
    if changed is not null then
        counted_ids := array(select v.run_id from json_to_recordset(changed) as v (run_id text));
        counted_before := array(select counted_run(r) from workflow_runs r where r.run_id = any(counted_ids));
        update workflow_runs as r
           set status = v.status, sequence = v.sequence, started_at = v.started_at, completed_at = v.completed_at,
               output_data = v.output_data, error_message = v.error_message, error_code = v.error_code,
               error_step_id = v.error_step_id, error_attempt = v.error_attempt, cancelled_at = v.cancelled_at,
               cancelled_by = v.cancelled_by, cancel_reason = v.cancel_reason, retried_at = v.retried_at, paused_at = v.paused_at,
               held_by = case when v.paused_at is not null then coalesce(v.held_by, r.held_by) end,
               steps_started = v.steps_started, timeout_at = v.timeout_at, revisits = v.revisits,
               parent_step_execution_id = coalesce(v.parent_step_execution_id, r.parent_step_execution_id),
               wake_at = v.wake_at, workflow_version_id = v.workflow_version_id,
               version = coalesce(v.version, r.version), workflow_id = coalesce(v.workflow_id, r.workflow_id),
               updated_at = now()
          from json_to_recordset(changed) as v (
            run_id text, was bigint, status text, sequence bigint, started_at timestamptz, completed_at timestamptz, output_data jsonb,
            error_message text, error_code text, error_step_id text, error_attempt integer, cancelled_at timestamptz,
            cancelled_by text, cancel_reason text, retried_at timestamptz, paused_at timestamptz, steps_started integer,
            timeout_at timestamptz, revisits boolean, parent_step_execution_id text, wake_at timestamptz, held_by text,
            workflow_version_id uuid, version integer, workflow_id text
          )
         where r.run_id = any(array[v.run_id]) and r.sequence is not distinct from v.was;
        get diagnostics written = row_count;
        if written < json_array_length(changed) then moved_on := moved_on || runs_not_saved(changed); end if;
        -- What was decided by whether a workflow is paused: that stays so until this is committed.
        moved_on := moved_on || array(
            select v.run_id from json_to_recordset(changed) as v (run_id text, workflow_was_paused boolean)
              join workflow_runs r on r.run_id = any(array[v.run_id])
             where v.workflow_was_paused is not null and workflow_is_paused(r.workflow_definition_id) <> v.workflow_was_paused);
    end if;
    if cardinality(moved_on) > 0 then perform refuse_moved_on(moved_on); end if;
    if closed is not null then
        -- By the id that other producers' attempts have too, which need not be a uuid.
        update step_executions as s
           set status = v.status, output_data = v.output_data, error_message = v.error_message, error_code = v.error_code,
               logs = v.logs, completed_at = v.completed_at,
               -- Of a step that began and ended at once.
               input_data = coalesce(s.input_data, v.input_data), started_at = coalesce(s.started_at, v.started_at),
               child_run_id = coalesce(v.child_run_id, s.child_run_id),
               due_at = null, heartbeat_due_at = null, wake_at = null
          from json_to_recordset(closed) as v (
            id text, status text, input_data jsonb, output_data jsonb, error_message text, error_code text, logs jsonb,
            started_at timestamptz, completed_at timestamptz, child_run_id text,
            guards_times boolean, deadline_was timestamptz, heartbeat_was timestamptz
          )
         where s.step_execution_id = any(array[v.id])
           and (s.status is not distinct from 'RUNNING' or s.status is not distinct from 'PENDING')
           and (v.guards_times is not true
                or date_trunc('milliseconds', s.deadline_at) is not distinct from v.deadline_was
                   and date_trunc('milliseconds', s.heartbeat_due_at) is not distinct from v.heartbeat_was);
        get diagnostics written = row_count;
        if written < json_array_length(closed) then perform refuse_stale_attempts(closed); end if;
    end if;
    if continued is not null then
        update step_executions as s
           set status = v.status, input_data = coalesce(s.input_data, v.input_data), started_at = v.started_at, due_at = v.due_at,
               deadline_at = v.deadline_at, heartbeat_ms = v.heartbeat_ms, heartbeat_due_at = v.heartbeat_due_at,
               republished_at = v.republished_at, signal_name = v.signal_name, child_run_id = v.child_run_id, wake_at = v.wake_at
          from json_to_recordset(continued) as v (
            id text, status text, input_data jsonb, started_at timestamptz, due_at timestamptz, deadline_at timestamptz,
            heartbeat_ms bigint, heartbeat_due_at timestamptz, republished_at timestamptz, signal_name text, child_run_id text,
            wake_at timestamptz, guards_times boolean, deadline_was timestamptz, heartbeat_was timestamptz
          )
         where s.step_execution_id = any(array[v.id])
           and (s.status is not distinct from 'RUNNING' or s.status is not distinct from 'PENDING')
           and (v.guards_times is not true
                or date_trunc('milliseconds', s.deadline_at) is not distinct from v.deadline_was
                   and date_trunc('milliseconds', s.heartbeat_due_at) is not distinct from v.heartbeat_was);
        get diagnostics written = row_count;
        if written < json_array_length(continued) then perform refuse_stale_attempts(continued); end if;
    end if;
    if opened is not null then
        insert into step_executions (
            id, step_execution_id, run_id, step_id, step_name, agent_name, step_type, status, input_data, output_data,
            error_message, error_code, created_at, started_at, completed_at, scope, visit, attempt, policy_attempt, policy_retries,
            timeout_ms, due_at, deadline_at, heartbeat_ms, heartbeat_due_at, signal_name, child_run_id, wake_at
        )
        select v.id, v.id::text, v.run_id, v.step_id, v.step_name, v.agent_name, v.step_type, v.status, v.input_data, v.output_data,
               v.error_message, v.error_code, v.created_at, v.started_at, v.completed_at, v.scope, v.visit, v.attempt,
               v.policy_attempt, v.policy_retries, v.timeout_ms, v.due_at, v.deadline_at, v.heartbeat_ms, v.heartbeat_due_at,
               v.signal_name, v.child_run_id, v.wake_at
          from json_to_recordset(opened) as v (
            id uuid, run_id text, step_id text, step_name text, agent_name text, step_type text, status text, input_data jsonb,
            output_data jsonb, error_message text, error_code text, created_at timestamptz, started_at timestamptz,
            completed_at timestamptz, scope text, visit integer, attempt integer, policy_attempt integer, policy_retries integer[],
            timeout_ms bigint, due_at timestamptz, deadline_at timestamptz, heartbeat_ms bigint, heartbeat_due_at timestamptz,
            signal_name text, child_run_id text, wake_at timestamptz
          );
    end if;
    if joins is not null then
        -- A child counts once: the counters are as they were when it was counted in.
        update scopes as j
           set step_execution_id = v.step_execution_id, total = v.total, needed = v.needed, tolerated = v.tolerated,
               started = v.started, waiting = coalesce(v.waiting, 0), next_waiting = v.next_waiting, completed = v.completed, failed = v.failed, output_bytes = v.output_bytes,
               is_over = v.is_over, failure_code = v.failure_code, failure_message = v.failure_message
          from json_to_recordset(joins) as v (
            run_id text, path text, step_execution_id text, total integer, needed integer, tolerated integer, started integer,
            waiting integer, next_waiting integer, completed integer, failed integer, output_bytes bigint, is_over boolean, failure_code text, failure_message text,
            was_completed integer, was_failed integer
          )
         where j.run_id = any(array[v.run_id]) and j.path = any(array[v.path]) and v.was_completed is not null
           and j.completed is not distinct from v.was_completed and j.failed is not distinct from v.was_failed;
        get diagnostics written = row_count;
        if written < json_array_length(joins) then
            insert into scopes (
                run_id, path, step_id, step_execution_id, total, needed, tolerated, started, completed, failed, output_bytes,
                is_over, failure_code, failure_message
            )
            select v.run_id, v.path, v.step_id, v.step_execution_id, v.total, v.needed, v.tolerated, v.started, v.completed,
                   v.failed, v.output_bytes, v.is_over, v.failure_code, v.failure_message
              from json_to_recordset(joins) as v (
                run_id text, path text, step_id text, step_execution_id text, total integer, needed integer, tolerated integer,
                started integer, completed integer, failed integer, output_bytes bigint, is_over boolean, failure_code text,
                failure_message text, was_completed integer
              )
             where v.was_completed is null;
            get diagnostics inserted = row_count;
            if written + inserted < json_array_length(joins) then
                perform refuse_stale('join', (
                    select v.path from json_to_recordset(joins) as v (run_id text, path text)
                      left join scopes j on j.run_id = v.run_id and j.path = v.path and j.xmin = pg_current_xact_id()::xid
                     where j.run_id is null limit 1));
            end if;
        end if;
    end if;
    if children is not null then
        -- All items of a map at once, or one that goes on. What it was given stays.
        insert into scope_children as c (run_id, path, child, index, status, next_waiting, input, output, error_code, error_message)
        select v.run_id, v.path, v.child, v.index, v.status, v.next_waiting, v.input, v.output, v.error_code, v.error_message
          from json_to_recordset(children) as v (
            run_id text, path text, child text, index integer, status text, next_waiting integer, input jsonb, output jsonb,
            error_code text, error_message text
          )
            on conflict (run_id, path, child) do update
           set status = excluded.status, next_waiting = excluded.next_waiting, output = excluded.output, error_code = excluded.error_code,
               error_message = excluded.error_message;
    end if;
    if data is not null then
        -- A retry goes back to how it was, which may be that nothing was set: what was since is gone. It comes first of its run.
        if exists (select from json_to_recordset(data) as v (is_whole boolean) where v.is_whole) then
            delete from scope_data as d using json_to_recordset(data) as v (run_id text, scope text, is_whole boolean)
             where v.is_whole and d.run_id = any(array[v.run_id]) and d.scope = any(array[v.scope]);
        end if;
        -- The last that was set of each; null is what was not set now.
        insert into scope_data as d (run_id, scope, variables, error)
        select v.run_id, v.scope,
               (array_agg(v.variables order by v.since desc) filter (where v.variables is not null))[1],
               (array_agg(v.error order by v.since desc) filter (where v.error is not null))[1]
          from json_to_recordset(data) as v (
            run_id text, scope text, since timestamptz, variables jsonb, error jsonb
          )
         where v.variables is not null or v.error is not null
         group by v.run_id, v.scope
            on conflict (run_id, scope) do update
           set variables = coalesce(excluded.variables, d.variables), error = coalesce(excluded.error, d.error);
        -- The release before tells no time.
        insert into scope_history as h (run_id, scope, since, variables, error, is_whole)
        select v.run_id, v.scope, v.since, v.variables, v.error, coalesce(v.is_whole, false)
          from json_to_recordset(data) as v (
            run_id text, scope text, since timestamptz, variables jsonb, error jsonb, is_whole boolean
          )
         where v.since is not null
            on conflict (run_id, scope, since) do update
           set variables = coalesce(excluded.variables, h.variables), error = coalesce(excluded.error, h.error);
    end if;
    if signals_kept is not null then
        insert into signals (run_id, id, name, payload, received_at, taken_by)
        select v.run_id, v.id, v.name, v.payload, v.received_at, v.taken_by
          from json_to_recordset(signals_kept) as v (
            run_id text, id text, name text, payload jsonb, received_at timestamptz, taken_by text
          );
    end if;
    if signals_taken is not null then
        update signals as g set taken_by = v.taken_by
          from json_to_recordset(signals_taken) as v (run_id text, id text, taken_by text)
         where g.run_id = any(array[v.run_id]) and g.id = any(array[v.id]) and coalesce(g.taken_by, '') is not distinct from '';
        get diagnostics written = row_count;
        if written < json_array_length(signals_taken) then
            perform refuse_stale('signal', (
                select v.id from json_to_recordset(signals_taken) as v (run_id text, id text)
                  left join signals g on g.run_id = v.run_id and g.id = v.id and g.xmin = pg_current_xact_id()::xid
                 where g.run_id is null limit 1));
        end if;
    end if;
    if runs_started is not null then
        perform insert_runs(runs_started);
        counted_ids := counted_ids || array(select v.run_id from json_to_recordset(runs_started) as v (run_id text));
    end if;
    if counted_ids is not null then
        perform count_runs(
            counted_before, array(select counted_run(r) from workflow_runs r where r.run_id = any(counted_ids)));
    end if;
    if audited is not null then perform insert_audit_records(audited); end if;
    if cardinality(save_runs.published) > 0 then delete from outbox o where o.id = any(save_runs.published); end if;
    insert into outbox (id, messages) values (outbox_id, save_runs.messages);
    if cardinality(agent_names) > 0 then
        return query select * from load_agent_routes(agent_names, agent_owners);
    end if;
end
$$;

-- Of these runs, those that this transaction has not written.
create or replace function runs_not_saved(runs json) returns text[] language plpgsql as $$
begin
    return array(
        select v.run_id from json_to_recordset(runs) as v (run_id text)
          left join workflow_runs r on r.run_id = v.run_id and r.xmin = pg_current_xact_id()::xid where r.run_id is null);
end
$$;

-- Rows that are not as they were loaded, in runs that are. Signs of life and agents' clocks move an attempt's times and raise no
-- sequence: what was decided by those times is decided again. Else it is a defect, or somebody who writes without raising the run's
-- sequence. Told is the first of those that this transaction did not write.
create or replace function refuse_stale_attempts(attempts json) returns void language plpgsql as $$
declare
    moved_on constant text[] := array(
        select s.run_id from json_to_recordset(attempts) as v (
                 id text, guards_times boolean, deadline_was timestamptz, heartbeat_was timestamptz)
          join step_executions s on s.step_execution_id = v.id
         where v.guards_times and s.status in ('PENDING', 'RUNNING') and s.xmin <> pg_current_xact_id()::xid
           and (date_trunc('milliseconds', s.deadline_at) is distinct from v.deadline_was
                or date_trunc('milliseconds', s.heartbeat_due_at) is distinct from v.heartbeat_was));
begin
    if cardinality(moved_on) > 0 then perform refuse_moved_on(moved_on); end if;
    perform refuse_stale('step execution', (
        select v.id from json_to_recordset(attempts) as v (id text)
          left join step_executions s on s.step_execution_id = v.id and s.xmin = pg_current_xact_id()::xid
         where s.id is null limit 1));
end
$$;
create or replace function refuse_moved_on(run_ids text[]) returns void language plpgsql as $$
begin
    raise exception 'Runs went on meanwhile' using errcode = 'SL002', detail = array_to_json(run_ids)::text;
end
$$;
create or replace function refuse_stale(what text, id text) returns void language plpgsql as $$
begin
    raise exception 'The % % is not as it was loaded', what, id using errcode = 'SL001';
end
$$;
