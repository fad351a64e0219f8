-- Writes a batch's decisions: each document an array of rows, or null for none. Every write carries its guard; one that misses
-- raises SL001 and nothing of the transaction stays. What the caller's documents lack is null, so that code of another version
-- may run beside this one.
--
-- Row by row, by the key: a plan that Postgres keeps was made when the table had another size, and only the look-up of one key
-- is right at every size. `is not distinct from` is what no index can serve, so that none but the key's is chosen.
create or replace function save_decisions(
    closed json, started json, opened json, advanced json, changed json, outbox_id uuid, messages json
) returns void language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off
as $$
declare
    change record;
begin
    if closed is not null then
        for change in select * from json_to_recordset(closed) as v (
            id uuid, status text, output_data jsonb, error_message text, error_code text, logs jsonb, completed_at timestamptz
        ) loop
            update step_executions as s
               set status = change.status, output_data = change.output_data, error_message = change.error_message,
                   error_code = change.error_code, logs = change.logs, completed_at = change.completed_at, due_at = null, wake_at = null
             where s.id = change.id
               and (s.status is not distinct from 'RUNNING' or s.status is not distinct from 'PENDING');
            if not found then perform refuse_stale('step execution', change.id::text); end if;
        end loop;
    end if;
    if started is not null then
        for change in select * from json_to_recordset(started) as v (
            id uuid, started_at timestamptz, deadline_at timestamptz, republished_at timestamptz, wake_at timestamptz
        ) loop
            update step_executions as s
               set status = 'RUNNING', started_at = change.started_at, deadline_at = change.deadline_at,
                   republished_at = change.republished_at, wake_at = change.wake_at, due_at = null
             where s.id = change.id
               and (s.status is not distinct from 'RUNNING' or s.status is not distinct from 'PENDING');
            if not found then perform refuse_stale('step execution', change.id::text); end if;
        end loop;
    end if;
    if opened is not null then
        insert into step_executions (
            id, step_execution_id, run_id, step_id, step_name, agent_name, step_type, status, input_data, error_message,
            error_code, created_at, started_at, completed_at, scope, visit, attempt, policy_attempt, timeout_ms, due_at,
            deadline_at, wake_at
        )
        select v.id, v.id::text, v.run_id, v.step_id, v.step_name, v.agent_name, v.step_type, v.status, v.input_data,
               v.error_message, v.error_code, v.created_at, v.started_at, v.completed_at, v.scope, v.visit, v.attempt,
               v.policy_attempt, v.timeout_ms, v.due_at, v.deadline_at, v.wake_at
          from json_to_recordset(opened) as v (
            id uuid, run_id text, step_id text, step_name text, agent_name text, step_type text, status text, input_data jsonb,
            error_message text, error_code text, created_at timestamptz, started_at timestamptz, completed_at timestamptz,
            scope text, visit integer, attempt integer, policy_attempt integer, timeout_ms bigint, due_at timestamptz,
            deadline_at timestamptz, wake_at timestamptz
          );
    end if;
    if advanced is not null then
        for change in select * from json_to_recordset(advanced) as v (run_id text, sequence bigint) loop
            -- The sequence only grows: an update from a state that is no longer the last one touches no row.
            update workflow_runs as r set sequence = change.sequence, updated_at = now()
             where r.run_id = change.run_id and r.sequence < change.sequence and r.status is not distinct from 'RUNNING';
            if not found then perform refuse_stale('run', change.run_id); end if;
        end loop;
    end if;
    if changed is not null then
        for change in select * from json_to_recordset(changed) as v (
            run_id text, status text, sequence bigint, started_at timestamptz, completed_at timestamptz, output_data jsonb,
            error_message text, error_code text, error_step_id text, error_attempt integer, cancelled_at timestamptz,
            cancelled_by text, cancel_reason text, retried_at timestamptz, wake_at timestamptz, workflow_version_id uuid
        ) loop
            update workflow_runs as r
               set status = change.status, sequence = change.sequence, started_at = change.started_at, completed_at = change.completed_at,
                   output_data = change.output_data, error_message = change.error_message, error_code = change.error_code,
                   error_step_id = change.error_step_id, error_attempt = change.error_attempt, cancelled_at = change.cancelled_at,
                   cancelled_by = change.cancelled_by, cancel_reason = change.cancel_reason, retried_at = change.retried_at,
                   wake_at = change.wake_at, workflow_version_id = change.workflow_version_id, updated_at = now()
             where r.run_id = change.run_id and r.sequence < change.sequence;
            if not found then perform refuse_stale('run', change.run_id); end if;
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
