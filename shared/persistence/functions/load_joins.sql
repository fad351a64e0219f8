-- Open parallel and map steps: those of `paths`, each of the run at its place in `run_ids`, and all of the runs `all_of`. One
-- after the other, by the key. Those within `within_scopes`, at any depth, each of the run at its place in `within_runs`.
create or replace function load_joins(
    run_ids text[], paths text[], all_of text[], within_runs text[], within_scopes text[]
) returns setof scopes language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off
as $$
declare
    asked text;
begin
    for i in 1 .. cardinality(run_ids) loop
        return query select j.* from scopes j where j.run_id = run_ids[i] and j.path = paths[i];
    end loop;
    foreach asked in array all_of loop
        return query select j.* from scopes j where j.run_id = asked;
    end loop;
    for i in 1 .. cardinality(within_runs) loop
        return query
        select j.* from scopes j
         where j.run_id = within_runs[i] and j.path >= within_scopes[i] || '/' and j.path < within_scopes[i] || '0';
    end loop;
end
$$;
