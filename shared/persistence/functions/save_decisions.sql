-- Writes a batch's decisions: each document an array of rows, or null for none. Every write carries its guard; one that misses
-- raises SL001 and nothing of the transaction stays. What the caller's documents lack is null, so that code of another version
-- may run beside this one.
--
-- Row by row, by the key: a plan that Postgres keeps was made when the table had another size, and only the look-up of one key
-- is right at every size. `is not distinct from` is what no index can serve, so that none but the key's is chosen.
create or replace function save_decisions(
    closed json, continued json, opened json, advanced json, changed json, joins json, children json, data json,
    signals_kept json, signals_taken json, runs_started json, outbox_id uuid, messages json
) returns void language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off
as $$
declare
    change record;
begin
    if closed is not null then
        for change in select * from json_to_recordset(closed) as v (
            id uuid, status text, input_data jsonb, output_data jsonb, error_message text, error_code text, logs jsonb,
            started_at timestamptz, completed_at timestamptz, child_run_id text
        ) loop
            update step_executions as s
               set status = change.status, output_data = change.output_data, error_message = change.error_message,
                   error_code = change.error_code, logs = change.logs, completed_at = change.completed_at,
                   -- Of a step that began and ended at once.
                   input_data = coalesce(s.input_data, change.input_data),
                   started_at = coalesce(s.started_at, change.started_at),
                   child_run_id = coalesce(change.child_run_id, s.child_run_id),
                   due_at = null, heartbeat_due_at = null, wake_at = null
             where s.id = change.id
               and (s.status is not distinct from 'RUNNING' or s.status is not distinct from 'PENDING');
            if not found then perform refuse_stale('step execution', change.id::text); end if;
        end loop;
    end if;
    if continued is not null then
        for change in select * from json_to_recordset(continued) as v (
            id uuid, status text, input_data jsonb, started_at timestamptz, due_at timestamptz, deadline_at timestamptz,
            heartbeat_ms bigint, heartbeat_due_at timestamptz, republished_at timestamptz, signal_name text, child_run_id text,
            wake_at timestamptz
        ) loop
            update step_executions as s
               set status = change.status, input_data = coalesce(s.input_data, change.input_data),
                   started_at = change.started_at, due_at = change.due_at, deadline_at = change.deadline_at,
                   heartbeat_ms = change.heartbeat_ms, heartbeat_due_at = change.heartbeat_due_at, republished_at = change.republished_at,
                   signal_name = change.signal_name, child_run_id = change.child_run_id, wake_at = change.wake_at
             where s.id = change.id
               and (s.status is not distinct from 'RUNNING' or s.status is not distinct from 'PENDING');
            if not found then perform refuse_stale('step execution', change.id::text); end if;
        end loop;
    end if;
    if opened is not null then
        insert into step_executions (
            id, step_execution_id, run_id, step_id, step_name, agent_name, step_type, status, input_data, output_data,
            error_message, error_code, created_at, started_at, completed_at, scope, visit, attempt, policy_attempt, timeout_ms,
            due_at, deadline_at, heartbeat_ms, heartbeat_due_at, signal_name, child_run_id, wake_at
        )
        select v.id, v.id::text, v.run_id, v.step_id, v.step_name, v.agent_name, v.step_type, v.status, v.input_data, v.output_data,
               v.error_message, v.error_code, v.created_at, v.started_at, v.completed_at, v.scope, v.visit, v.attempt,
               v.policy_attempt, v.timeout_ms, v.due_at, v.deadline_at, v.heartbeat_ms, v.heartbeat_due_at, v.signal_name,
               v.child_run_id, v.wake_at
          from json_to_recordset(opened) as v (
            id uuid, run_id text, step_id text, step_name text, agent_name text, step_type text, status text, input_data jsonb,
            output_data jsonb, error_message text, error_code text, created_at timestamptz, started_at timestamptz,
            completed_at timestamptz, scope text, visit integer, attempt integer, policy_attempt integer, timeout_ms bigint,
            due_at timestamptz, deadline_at timestamptz, heartbeat_ms bigint, heartbeat_due_at timestamptz, signal_name text,
            child_run_id text, wake_at timestamptz
          );
    end if;
    if advanced is not null then
        for change in select * from json_to_recordset(advanced) as v (run_id text, sequence bigint, steps_started integer) loop
            -- The sequence only grows: an update from a state that is no longer the last one touches no row.
            update workflow_runs as r
               set sequence = change.sequence, steps_started = change.steps_started, updated_at = now()
             where r.run_id = change.run_id and r.sequence < change.sequence and r.status is not distinct from 'RUNNING';
            if not found then perform refuse_stale('run', change.run_id); end if;
        end loop;
    end if;
    if changed is not null then
        for change in select * from json_to_recordset(changed) as v (
            run_id text, status text, sequence bigint, started_at timestamptz, completed_at timestamptz, output_data jsonb,
            error_message text, error_code text, error_step_id text, error_attempt integer, cancelled_at timestamptz,
            cancelled_by text, cancel_reason text, retried_at timestamptz, paused_at timestamptz, steps_started integer,
            timeout_at timestamptz, revisits boolean, parent_step_execution_id text, wake_at timestamptz, held_by text,
            workflow_version_id uuid, version integer, workflow_id text
        ) loop
            update workflow_runs as r
               set status = change.status, sequence = change.sequence, started_at = change.started_at, completed_at = change.completed_at,
                   output_data = change.output_data, error_message = change.error_message, error_code = change.error_code,
                   error_step_id = change.error_step_id, error_attempt = change.error_attempt, cancelled_at = change.cancelled_at,
                   cancelled_by = change.cancelled_by, cancel_reason = change.cancel_reason, retried_at = change.retried_at,
                   paused_at = change.paused_at,
                   held_by = case when change.paused_at is not null then coalesce(change.held_by, r.held_by) end,
                   steps_started = change.steps_started, timeout_at = change.timeout_at,
                   revisits = change.revisits,
                   parent_step_execution_id = coalesce(change.parent_step_execution_id, r.parent_step_execution_id),
                   wake_at = change.wake_at, workflow_version_id = change.workflow_version_id,
                   version = coalesce(change.version, r.version), workflow_id = coalesce(change.workflow_id, r.workflow_id),
                   updated_at = now()
             where r.run_id = change.run_id and r.sequence < change.sequence;
            if not found then perform refuse_stale('run', change.run_id); end if;
        end loop;
    end if;
    if joins is not null then
        for change in select * from json_to_recordset(joins) as v (
            run_id text, path text, step_id text, step_execution_id text, total integer, needed integer, tolerated integer,
            started integer, completed integer, failed integer, output_bytes bigint, is_over boolean, failure_code text,
            failure_message text, was_completed integer, was_failed integer
        ) loop
            if change.was_completed is null then
                insert into scopes (
                    run_id, path, step_id, step_execution_id, total, needed, tolerated, started, completed, failed, output_bytes,
                    is_over, failure_code, failure_message
                ) values (
                    change.run_id, change.path, change.step_id, change.step_execution_id, change.total, change.needed,
                    change.tolerated, change.started, change.completed, change.failed, change.output_bytes, change.is_over,
                    change.failure_code, change.failure_message
                );
            else
                -- A child counts once: the counters are as they were when it was counted in.
                update scopes as j
                   set step_execution_id = change.step_execution_id, total = change.total, needed = change.needed,
                       tolerated = change.tolerated, started = change.started, completed = change.completed,
                       failed = change.failed, output_bytes = change.output_bytes, is_over = change.is_over,
                       failure_code = change.failure_code, failure_message = change.failure_message
                 where j.run_id = change.run_id and j.path = change.path
                   and j.completed is not distinct from change.was_completed and j.failed is not distinct from change.was_failed;
                if not found then perform refuse_stale('join', change.path); end if;
            end if;
        end loop;
    end if;
    if children is not null then
        -- All items of a map at once, or one that goes on. What it was given stays.
        insert into scope_children as c (run_id, path, child, index, status, input, output, error_code, error_message)
        select v.run_id, v.path, v.child, v.index, v.status, v.input, v.output, v.error_code, v.error_message
          from json_to_recordset(children) as v (
            run_id text, path text, child text, index integer, status text, input jsonb, output jsonb, error_code text,
            error_message text
          )
            on conflict (run_id, path, child) do update
           set status = excluded.status, output = excluded.output, error_code = excluded.error_code,
               error_message = excluded.error_message;
    end if;
    if data is not null then
        -- Set, and never unset: null is what was not set now.
        insert into scope_data as d (run_id, scope, variables, error)
        select v.run_id, v.scope, v.variables, v.error
          from json_to_recordset(data) as v (run_id text, scope text, variables jsonb, error jsonb)
            on conflict (run_id, scope) do update
           set variables = coalesce(excluded.variables, d.variables), error = coalesce(excluded.error, d.error);
    end if;
    if signals_kept is not null then
        insert into signals (run_id, id, name, payload, received_at, taken_by)
        select v.run_id, v.id, v.name, v.payload, v.received_at, v.taken_by
          from json_to_recordset(signals_kept) as v (
            run_id text, id text, name text, payload jsonb, received_at timestamptz, taken_by text
          );
    end if;
    if signals_taken is not null then
        for change in select * from json_to_recordset(signals_taken) as v (run_id text, id text, taken_by text) loop
            update signals as g set taken_by = change.taken_by
             where g.run_id = change.run_id and g.id = change.id and coalesce(g.taken_by, '') is not distinct from '';
            if not found then perform refuse_stale('signal', change.id); end if;
        end loop;
    end if;
    if runs_started is not null then
        for change in select * from json_to_recordset(runs_started) as v (
            id uuid, run_id text, workflow_id text, workflow_name text, workflow_definition_id text, workflow_version_id uuid,
            version integer, input_data jsonb, depth integer, parent_run_id text, parent_step_execution_id text,
            created_at timestamptz, wake_at timestamptz
        ) loop
            insert into workflow_runs (
                id, run_id, workflow_id, workflow_name, workflow_definition_id, workflow_version_id, version, status, owner,
                triggered_by, community_id, input_data, depth, parent_run_id, parent_step_execution_id, created_at, updated_at,
                wake_at, paused_at, held_by
            )
            select change.id, change.run_id, change.workflow_id, change.workflow_name, change.workflow_definition_id,
                   change.workflow_version_id, change.version, 'PENDING', p.owner, p.triggered_by, p.community_id,
                   change.input_data, change.depth, change.parent_run_id, change.parent_step_execution_id,
                   change.created_at, change.created_at, change.wake_at,
                   case when w.id is not null then change.created_at end, case when w.id is not null then 'workflow' end
              from workflow_runs p
              left join workflows w on w.id = change.workflow_definition_id::uuid and w.paused_at is not null
             where p.run_id = change.parent_run_id;
            if not found then perform refuse_stale('run', change.parent_run_id); end if;
        end loop;
    end if;
    insert into outbox (id, messages) values (outbox_id, save_decisions.messages);
end
$$;

-- A row that is not as the transaction loaded it under lock: a defect, or somebody who writes without the lock.
create or replace function refuse_stale(what text, id text) returns void language plpgsql as $$
begin
    raise exception 'The % % is not as it was loaded', what, id using errcode = 'SL001';
end
$$;
