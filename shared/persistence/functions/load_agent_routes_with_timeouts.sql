-- The release before calls it: load_agent_routes_with_speeds, without what a call needs.
create or replace function load_agent_routes_with_timeouts(names text[], owners text[])
returns table (owner varchar, name varchar, kind varchar, address varchar, timeout_seconds integer) language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off
as $$
#variable_conflict use_column
begin
    return query
    select a.owner, a.name, a.kind, a.address, a.timeout_seconds from agents a where a.name = any(names) and a.owner = any(owners);
    return query
    select a.owner, a.name, a.kind, a.address, a.timeout_seconds from agents a where a.name = any(names) and a.owner is null;
end
$$;
