-- Where tasks of these agents go, and what a call of those needs that are reached over HTTP: the owners' own agents and everybody's, each
-- with how long it took to answer, whoever called it. An `or` would read every agent of that name.
create or replace function load_agent_routes(names text[], owners text[]) returns table (
    owner varchar, name varchar, kind varchar, address varchar, timeout_seconds integer, secret_encrypted bytea,
    previous_secret_encrypted bytea, speed_address_hash bytea, average_ms integer, speed_age_ms double precision
) language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off
as $$
#variable_conflict use_column
begin
    return query
    select a.owner, a.name, a.kind, a.address, a.timeout_seconds, a.secret_encrypted,
           case when a.previous_secret_until > now() then a.previous_secret_encrypted end,
           v.address_hash, v.average_ms, (extract(epoch from now() - v.measured_at) * 1000)::double precision
      from agents a
      left join agent_speeds v on v.name = a.name and v.owner = a.owner
     where a.name = any(names) and a.owner = any(owners);
    return query
    select a.owner, a.name, a.kind, a.address, a.timeout_seconds, a.secret_encrypted,
           case when a.previous_secret_until > now() then a.previous_secret_encrypted end,
           v.address_hash, v.average_ms, (extract(epoch from now() - v.measured_at) * 1000)::double precision
      from agents a
      left join agent_speeds v on v.name = a.name and v.owner = ''
     where a.name = any(names) and a.owner is null;
end
$$;
