-- Where tasks of these agents go, and how long they may take: the owners' own agents and everybody's. An `or` would read every agent
-- of that name.
create or replace function load_agent_routes(names text[], owners text[])
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
