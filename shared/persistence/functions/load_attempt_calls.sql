-- What a bridge needs to know of attempts before it calls their agents: the run owner's own agent comes before everybody's, and with
-- it comes how long it took to answer, whoever called it. Each is found by the keys, one after the other: a plan that Postgres keeps
-- was made when tables had other sizes.
create or replace function load_attempt_calls(ids text[]) returns table (
    step_execution_id varchar, run_id varchar, run_status varchar, attempt_status varchar, accepted boolean, timeout_ms bigint,
    agent_name varchar, kind varchar, address varchar, agent_owner varchar, timeout_seconds integer, secret_encrypted bytea,
    previous_secret_encrypted bytea, speed_address_hash bytea, average_ms integer, speed_age_ms double precision
) language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off
as $$
#variable_conflict use_column
declare
    asked text;
begin
    foreach asked in array ids loop
        return query
        select s.step_execution_id, s.run_id, r.status, s.status, s.accepted_at is not null, s.timeout_ms,
               s.agent_name, a.kind, a.address, a.owner, a.timeout_seconds, a.secret_encrypted,
               case when a.previous_secret_until > now() then a.previous_secret_encrypted end,
               v.address_hash, v.average_ms, (extract(epoch from now() - v.measured_at) * 1000)::double precision
          from step_executions s
          join workflow_runs r on r.run_id = s.run_id
          left join lateral (
            select own.* from agents own where own.name = s.agent_name and own.owner = r.owner
            union all
            select everybodys.* from agents everybodys where everybodys.name = s.agent_name and everybodys.owner is null
            order by owner nulls last limit 1
          ) as a on true
          left join agent_speeds v on v.name = s.agent_name and v.owner = coalesce(a.owner, '')
         where s.step_execution_id = asked;
    end loop;
end
$$;
