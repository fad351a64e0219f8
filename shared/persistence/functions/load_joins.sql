-- Open parallel and map steps: those of `paths`, each of the run at its place in `run_ids`, and all of the runs `all_of`. One
-- after the other, by the key. Those within `within_scopes`, at any depth, each of the run at its place in `within_runs`.
create or replace function load_joins(
    run_ids text[], paths text[], all_of text[], within_runs text[], within_scopes text[]
) returns table (
    run_id varchar, path text, step_id varchar, step_execution_id varchar, total integer, needed integer, tolerated integer,
    started integer, waiting integer, next_waiting integer, completed integer, failed integer, output_bytes bigint, is_over boolean,
    failure_code varchar, failure_message text
) language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off
as $$
#variable_conflict use_column
begin
    for i in 1 .. cardinality(run_ids) loop
        return query
        select j.run_id, j.path, j.step_id, j.step_execution_id, j.total, j.needed, j.tolerated,
               j.started, j.waiting, j.next_waiting, j.completed, j.failed, j.output_bytes, j.is_over, j.failure_code, j.failure_message
          from scopes j where j.run_id = run_ids[i] and j.path = paths[i];
    end loop;
    if cardinality(all_of) > 0 then
        return query
        select j.run_id, j.path, j.step_id, j.step_execution_id, j.total, j.needed, j.tolerated,
               j.started, j.waiting, j.next_waiting, j.completed, j.failed, j.output_bytes, j.is_over, j.failure_code, j.failure_message
          from scopes j where j.run_id = any(all_of);
    end if;
    for i in 1 .. cardinality(within_runs) loop
        return query
        select j.run_id, j.path, j.step_id, j.step_execution_id, j.total, j.needed, j.tolerated,
               j.started, j.waiting, j.next_waiting, j.completed, j.failed, j.output_bytes, j.is_over, j.failure_code, j.failure_message
          from scopes j
         where j.run_id = within_runs[i] and j.path >= within_scopes[i] || '/' and j.path < within_scopes[i] || '0';
    end loop;
end
$$;
