-- What locked runs, and saved what was decided about them under their locks, and functions whose names told what was new in them.
-- contract: lock_runs_with_pauses
-- contract: save_decisions
-- contract: load_attempts_with_retries
-- contract: load_joins_with_turns
-- contract: load_agent_routes_with_timeouts
-- contract: load_agent_calls
-- contract: refuse_stale_runs
do $$
declare
    superseded regprocedure;
begin
    for superseded in
        select p.oid::regprocedure from pg_proc p
         where p.pronamespace = current_schema()::regnamespace
           and (p.proname in (
                    'lock_runs_with_pauses', 'save_decisions', 'load_attempts_with_retries', 'load_joins_with_turns',
                    'load_agent_routes_with_timeouts', 'load_agent_calls', 'refuse_stale_runs')
                or p.proname = 'load_joins' and p.pronargs = 3
                or p.proname = 'load_agent_routes' and pg_get_function_result(p.oid) not like '%secret_encrypted%')
    loop
        execute format('drop function %s', superseded);
    end loop;
end
$$;
