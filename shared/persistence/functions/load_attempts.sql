-- What a batch's events are about: attempts by id (those of `with_input` with their input), runs' open attempts, runs' last ones.
create or replace function load_attempts(ids text[], with_input text[], open_of text[], last_of text[]) returns table (
    run_id varchar, step_execution_id varchar, step_id varchar, scope varchar, visit integer, attempt integer,
    policy_attempt integer, status varchar, created_at timestamptz, started_at timestamptz, completed_at timestamptz,
    timeout_ms bigint, due_at timestamptz, deadline_at timestamptz, accepted_at timestamptz, republished_at timestamptz,
    wake_at timestamptz, input_data jsonb
) language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off
as $$
#variable_conflict use_column
begin
    if cardinality(ids) > 0 then
        return query
        select s.run_id, s.step_execution_id, s.step_id, s.scope, s.visit, s.attempt,
               s.policy_attempt, s.status, s.created_at, s.started_at, s.completed_at,
               s.timeout_ms, s.due_at, s.deadline_at, s.accepted_at, s.republished_at,
               s.wake_at, case when s.step_execution_id = any(with_input) then s.input_data end
          from step_executions s where s.step_execution_id = any(ids);
    end if;
    if cardinality(open_of) > 0 then
        return query
        select s.run_id, s.step_execution_id, s.step_id, s.scope, s.visit, s.attempt,
               s.policy_attempt, s.status, s.created_at, s.started_at, s.completed_at,
               s.timeout_ms, s.due_at, s.deadline_at, s.accepted_at, s.republished_at,
               s.wake_at, null::jsonb
          from step_executions s
         where s.run_id = any(open_of) and s.status in ('PENDING', 'RUNNING') and s.step_execution_id <> all(ids);
    end if;
    if cardinality(last_of) > 0 then
        return query
        select last.* from unnest(last_of) as asked (run_id)
         cross join lateral (
            select s.run_id, s.step_execution_id, s.step_id, s.scope, s.visit, s.attempt,
                   s.policy_attempt, s.status, s.created_at, s.started_at, s.completed_at,
                   s.timeout_ms, s.due_at, s.deadline_at, s.accepted_at, s.republished_at,
                   s.wake_at, null::jsonb
              from step_executions s
             where s.run_id = asked.run_id order by s.created_at desc, s.id desc limit 1
         ) as last
         where last.step_execution_id <> all(ids);
    end if;
end
$$;
