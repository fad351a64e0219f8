-- What a batch's events are about: attempts by id (those of `with_input` with their input), of runs between `lowest` and `highest`, and
-- others that `others` asks for, each an object with its `kind` and `run_id`:
--   parent     the attempt `name`, of whatever run
--   open       every open attempt
--   within     every open attempt within `path`, a join, at any depth
--   container  the attempt that opened the join `path` or, where that is null, those of all the run's joins, with their inputs
--   waiting    the first `number` attempts that wait for the signal `name`
--   last       the last attempt at the top, and of each branch and item that began and did not complete; where `path` is given, of
--              that scope, and of those within it
--   top        the last attempt at the top
--   step       the last attempt of the step `name`: in any scope or, where `path` is given, in that one and those within
-- Those of the kinds `last` and `step` that started a run come with their input: where that run goes on, it stays.
-- Each is found by the head of an index, one after the other: a plan that Postgres keeps was made when tables had other sizes.
create or replace function load_attempts(lowest text, highest text, ids text[], with_input text[], others json) returns table ({{attempt.loaded types}}, input_data jsonb) language plpgsql stable
set plan_cache_mode = force_generic_plan set enable_seqscan = off
as $$
#variable_conflict use_column
declare
    asked record;
    wanted text[] := ids;
    inputs text[] := with_input;
    resumable text[] := '{}';
begin
    if others is not null then
        for asked in select * from json_to_recordset(others) as v (
            kind text, run_id text, path text, name text, number integer
        ) loop
            if asked.kind = 'parent' then
                wanted := wanted || asked.name;
                select s.run_id into asked.run_id from step_executions s where s.step_execution_id = asked.name;
            end if;
            if asked.run_id ~<~ lowest or lowest is null then lowest := asked.run_id; end if;
            if asked.run_id ~>~ highest or highest is null then highest := asked.run_id; end if;
            case asked.kind
            when 'parent' then null;
            when 'open' then
                wanted := wanted || array(
                    select s.step_execution_id::text from step_executions s
                     where s.run_id = asked.run_id and s.status in ('PENDING', 'RUNNING'));
            when 'within' then
                wanted := wanted || array(
                    select s.step_execution_id::text from step_executions s
                     where s.run_id = asked.run_id and s.scope >= asked.path || '/' and s.scope < asked.path || '0'
                       and s.status in ('PENDING', 'RUNNING'));
            when 'waiting' then
                wanted := wanted || array(
                    select s.step_execution_id::text from step_executions s
                     where s.run_id = asked.run_id and s.signal_name = asked.name and s.status = 'RUNNING'
                     order by s.created_at, s.id limit asked.number);
            when 'container' then
                if asked.path is null then
                    inputs := inputs || array(
                        select j.step_execution_id::text from scopes j where j.run_id = asked.run_id);
                else
                    wanted := wanted || array(
                        select j.step_execution_id::text from scopes j where j.run_id = asked.run_id and j.path = asked.path);
                end if;
            when 'last' then
                resumable := resumable || array(
                    select last.step_execution_id::text
                      from (
                        select coalesce(asked.path, '') as scope
                        union all
                        select c.path || '/' || c.child
                          from scopes j
                         cross join lateral (
                            select * from scope_children of_join
                             where of_join.run_id = j.run_id and of_join.path = j.path and of_join.index < j.started
                               and of_join.status is distinct from 'COMPLETED'
                            offset 0
                         ) as c
                         where j.run_id = asked.run_id
                           and (asked.path is null or j.path >= asked.path || '/' and j.path < asked.path || '0')
                      ) as unfinished
                     cross join lateral (
                        select s.step_execution_id from step_executions s
                         where s.run_id = asked.run_id and s.scope = unfinished.scope
                         order by s.created_at desc, s.id desc limit 1
                     ) as last);
            when 'top' then
                wanted := wanted || array(
                    select s.step_execution_id::text from step_executions s
                     where s.run_id = asked.run_id and s.scope = ''
                     order by s.created_at desc, s.id desc limit 1);
            when 'step' then
                if asked.path is null then
                    resumable := resumable || array(
                        select s.step_execution_id::text from step_executions s
                         where s.run_id = asked.run_id and s.step_id = asked.name
                         order by s.created_at desc, s.id desc limit 1);
                else
                    resumable := resumable || array(
                        select s.step_execution_id::text from step_executions s
                         where s.run_id = asked.run_id and s.scope >= asked.path and s.scope < asked.path || '0'
                           and (s.scope = asked.path or s.scope >= asked.path || '/') and s.step_id = asked.name
                         order by s.created_at desc, s.id desc limit 1);
                end if;
            end case;
        end loop;
    end if;
    return query
    select {{attempt.loaded of s}},
           case when s.step_execution_id = any(inputs)
                     or s.child_run_id is not null and s.step_execution_id = any(resumable) then s.input_data end
      from step_executions s
     where s.step_execution_id = any(wanted || inputs || resumable) and s.run_id ~>=~ lowest and s.run_id ~<=~ highest;
end
$$;
