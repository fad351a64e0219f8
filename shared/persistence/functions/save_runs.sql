-- Writes a batch's decisions, if their runs are as they were when they were decided about: the sequence of each (`was`) is what it
-- was (compare-and-set), and whether its workflow is paused, where that mattered. Else SL002 names the runs that went on
-- meanwhile, and nothing is written: those are decided again, and the others saved. Then the run's other rows, each with a guard
-- of its own, which misses only where somebody wrote without raising the sequence: SL001, or SL002 where that was an attempt's
-- times. Together with that what is published by now goes, and where the tasks' agents are is told: one call, and one commit. A
-- document that is null has no rows.
--
-- One statement for all rows of a kind: to begin one costs as much as to write ten rows, for the conditions of indexes, triggers
-- and constraints are read anew each time. A plan that Postgres keeps was made when the table had another size, so that there must
-- be no other than to look up one key after the other. `= any(array[…])` is a key for an index, and nothing that could be joined
-- by hash or in order; `is not distinct from` is for no index at all. All rows are of runs between `lowest` and `highest`, which
-- are most often of one month: by these operators, which are the partitions', no other is opened, and by no index are the runs
-- between read. Runs come in the order of their ids: two batches with runs in common wait for each other instead of deadlocking.
create or replace function save_runs(
    lowest text, highest text, advanced json, changed json, closed json, continued json, opened json, joins json, children json, data json,
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
            and r.run_id ~>=~ lowest and r.run_id ~<=~ highest
          order by r.run_id for update;
    end if;
    if advanced is not null then
        update workflow_runs as r
           set sequence = v.sequence, steps_started = v.steps_started, updated_at = now()
          from json_to_recordset(advanced) as v (run_id text, was bigint, sequence bigint, steps_started integer)
         where r.run_id = any(array[v.run_id]) and r.run_id ~>=~ lowest and r.run_id ~<=~ highest
           and r.sequence is not distinct from v.was and r.status is not distinct from 'RUNNING';
        get diagnostics written = row_count;
        if written < json_array_length(advanced) then moved_on := runs_not_saved(advanced); end if;
    end if;
    if changed is not null then
        counted_ids := array(select v.run_id from json_to_recordset(changed) as v (run_id text));
        counted_before := array(
            select counted_run(r) from workflow_runs r
             where r.run_id = any(counted_ids) and r.run_id ~>=~ lowest and r.run_id ~<=~ highest);
        update workflow_runs as r
           set {{run.changed set r}},
               held_by = case when v.paused_at is not null then coalesce(v.held_by, r.held_by) end,
               workflow_version_id = v.workflow_version_id,
               version = coalesce(v.version, r.version), workflow_id = coalesce(v.workflow_id, r.workflow_id),
               updated_at = now()
          from json_to_recordset(changed) as v (
            run_id text, was bigint, status_was text, {{run.changed types}}, held_by text, workflow_version_id uuid, version integer, workflow_id text
          )
         where r.run_id = any(array[v.run_id]) and r.run_id ~>=~ lowest and r.run_id ~<=~ highest
           -- Another producer, who ends a run, may not raise its sequence.
           and r.sequence is not distinct from v.was and r.status is not distinct from v.status_was;
        get diagnostics written = row_count;
        if written < json_array_length(changed) then moved_on := moved_on || runs_not_saved(changed); end if;
        -- What was decided by whether a workflow is paused: that stays so until this is committed.
        moved_on := moved_on || array(
            select v.run_id from json_to_recordset(changed) as v (run_id text, workflow_was_paused boolean)
              join workflow_runs r on r.run_id = any(array[v.run_id]) and r.run_id ~>=~ lowest and r.run_id ~<=~ highest
             where v.workflow_was_paused is not null and workflow_is_paused(r.workflow_definition_id) <> v.workflow_was_paused);
    end if;
    if cardinality(moved_on) > 0 then perform refuse_moved_on(moved_on); end if;
    if closed is not null then
        -- By the id that other producers' attempts have too, which need not be a uuid.
        update step_executions as s
           set {{attempt.closed set s}}
          from json_to_recordset(closed) as v (
            id text, run_id text, {{attempt.closed types}}, guards_times boolean, deadline_was timestamptz, heartbeat_was timestamptz
          )
         where s.step_execution_id = any(array[v.id]) and s.run_id = any(array[v.run_id])
           and s.run_id ~>=~ lowest and s.run_id ~<=~ highest
           and is_as_loaded(s.status, s.deadline_at, s.heartbeat_due_at, v.guards_times, v.deadline_was, v.heartbeat_was);
        get diagnostics written = row_count;
        if written < json_array_length(closed) then perform refuse_stale_attempts(closed); end if;
    end if;
    if continued is not null then
        update step_executions as s
           set {{attempt.continued set s}}
          from json_to_recordset(continued) as v (
            id text, run_id text, {{attempt.continued types}}, guards_times boolean, deadline_was timestamptz, heartbeat_was timestamptz
          )
         where s.step_execution_id = any(array[v.id]) and s.run_id = any(array[v.run_id])
           and s.run_id ~>=~ lowest and s.run_id ~<=~ highest
           and is_as_loaded(s.status, s.deadline_at, s.heartbeat_due_at, v.guards_times, v.deadline_was, v.heartbeat_was);
        get diagnostics written = row_count;
        if written < json_array_length(continued) then perform refuse_stale_attempts(continued); end if;
    end if;
    if opened is not null then
        insert into step_executions (
            id, step_execution_id, run_id, step_name, agent_name, step_type, {{attempt.opened names}}
        )
        select v.id, v.id::text, v.run_id, v.step_name, v.agent_name, v.step_type, {{attempt.opened of v}}
          from json_to_recordset(opened) as v (
            id uuid, run_id text, step_name text, agent_name text, step_type text, {{attempt.opened types}}
          );
    end if;
    if joins is not null then
        -- A child counts once: the counters are as they were when it was counted in.
        update scopes as j
           set {{join.counts set j}}
          from json_to_recordset(joins) as v (run_id text, {{join types}}, was_completed integer, was_failed integer)
         where j.run_id = any(array[v.run_id]) and j.run_id ~>=~ lowest and j.run_id ~<=~ highest and j.path = any(array[v.path])
           and v.was_completed is not null and j.completed is not distinct from v.was_completed and j.failed is not distinct from v.was_failed;
        get diagnostics written = row_count;
        if written < json_array_length(joins) then
            insert into scopes (run_id, {{join names}})
            select v.run_id, {{join of v}}
              from json_to_recordset(joins) as v (run_id text, {{join types}}, was_completed integer)
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
             where v.is_whole and d.run_id = any(array[v.run_id]) and d.run_id ~>=~ lowest and d.run_id ~<=~ highest
               and d.scope = any(array[v.scope]);
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
        insert into scope_history as h (run_id, scope, since, variables, error, is_whole)
        select v.run_id, v.scope, v.since, v.variables, v.error, coalesce(v.is_whole, false)
          from json_to_recordset(data) as v (
            run_id text, scope text, since timestamptz, variables jsonb, error jsonb, is_whole boolean
          )
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
         where g.run_id = any(array[v.run_id]) and g.run_id ~>=~ lowest and g.run_id ~<=~ highest
           and g.id = any(array[v.id]) and coalesce(g.taken_by, '') is not distinct from '';
        get diagnostics written = row_count;
        if written < json_array_length(signals_taken) then
            perform refuse_stale('signal', (
                select v.id from json_to_recordset(signals_taken) as v (run_id text, id text)
                  left join signals g on g.run_id = v.run_id and g.id = v.id and g.xmin = pg_current_xact_id()::xid
                 where g.run_id is null limit 1));
        end if;
    end if;
    if runs_started is not null then
        perform insert_runs(runs_started, lowest, highest);
        counted_ids := counted_ids || array(select v.run_id from json_to_recordset(runs_started) as v (run_id text));
    end if;
    if counted_ids is not null then
        perform count_runs(
            counted_before,
            array(
                select counted_run(r) from workflow_runs r
                 where r.run_id = any(counted_ids) and r.run_id ~>=~ lowest and r.run_id ~<=~ highest));
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
                 id text, run_id text, guards_times boolean, deadline_was timestamptz, heartbeat_was timestamptz)
          join step_executions s on s.step_execution_id = v.id and s.run_id = v.run_id
         where v.guards_times and s.status in ('PENDING', 'RUNNING') and s.xmin <> pg_current_xact_id()::xid
           and not is_as_loaded(s.status, s.deadline_at, s.heartbeat_due_at, true, v.deadline_was, v.heartbeat_was));
begin
    if cardinality(moved_on) > 0 then perform refuse_moved_on(moved_on); end if;
    perform refuse_stale('step execution', (
        select v.id from json_to_recordset(attempts) as v (id text, run_id text)
          left join step_executions s on s.step_execution_id = v.id and s.run_id = v.run_id and s.xmin = pg_current_xact_id()::xid
         where s.id is null limit 1));
end
$$;
-- Whether an open attempt is as it was decided about: by its times too, where it was by them. Signs of life and agents' clocks move them.
create or replace function is_as_loaded(
    status varchar, deadline_at timestamptz, heartbeat_due_at timestamptz,
    guards_times boolean, deadline_was timestamptz, heartbeat_was timestamptz
) returns boolean language sql stable return
    (status is not distinct from 'RUNNING' or status is not distinct from 'PENDING')
    and (guards_times is not true
         or date_trunc('milliseconds', deadline_at) is not distinct from deadline_was
            and date_trunc('milliseconds', heartbeat_due_at) is not distinct from heartbeat_was);
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
