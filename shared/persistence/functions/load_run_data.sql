-- What the next steps of a batch read. Inputs, variables and outputs at the top are what most steps read: they come by arrays;
-- the rest is asked for by `others`, each an object with its `kind`, and found one after the other by the key, since a plan that
-- Postgres keeps was made when the tables had other sizes.
--
-- A run given variables and no input reads its variables as its input, and the other way round, so that one workflow serves every
-- face; what its steps have assigned comes before both.
create or replace function load_run_data(
    lowest text, highest text, inputs_of text[], variables_of text[], outputs_of text[], step_ids text[], others json
) returns table (
    kind text, run_id varchar, path text, name text, number integer, status varchar, data jsonb,
    error_code varchar, error_message text, at timestamptz
) language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off
as $$
#variable_conflict use_column
declare
    asked record;
begin
    if cardinality(inputs_of) > 0 then
        return query
        select 'input', r.run_id, '', null::text, null::integer, null::varchar, coalesce(r.input_data, r.variables),
               null::varchar, null::text, null::timestamptz
          from workflow_runs r where r.run_id = any(inputs_of) and r.run_id ~>=~ lowest and r.run_id ~<=~ highest;
    end if;
    if cardinality(variables_of) > 0 then
        return query
        select 'variables', r.run_id, '', null::text, null::integer, null::varchar,
               coalesce((select d.variables from scope_data d where d.run_id = r.run_id and d.run_id ~>=~ lowest and d.run_id ~<=~ highest and d.scope = ''), r.variables, r.input_data),
               null::varchar, null::text, null::timestamptz
          from workflow_runs r where r.run_id = any(variables_of) and r.run_id ~>=~ lowest and r.run_id ~<=~ highest;
    end if;
    if cardinality(outputs_of) > 0 then
        return query
        select 'output', asked.run_id::varchar, '', asked.step_id, null::integer, null::varchar, latest.output_data,
               null::varchar, null::text, null::timestamptz
          from unnest(outputs_of, step_ids) as asked (run_id, step_id)
         cross join lateral (
            select s.output_data from step_executions s
             where s.run_id = asked.run_id and s.run_id ~>=~ lowest and s.run_id ~<=~ highest and s.scope = ''
               and s.step_id = asked.step_id and s.status = 'COMPLETED'
             order by s.visit desc, s.attempt desc limit 1
         ) as latest;
    end if;
    if others is null then return; end if;
    for asked in select * from json_to_recordset(others) as v (
        kind text, run_id varchar, path text, name text, number integer, owner text, at timestamptz
    ) loop
        case asked.kind
        when 'variables' then
            return query
            select asked.kind, asked.run_id, asked.path, null::text, null::integer, null::varchar, d.variables,
                   null::varchar, null::text, null::timestamptz
              from scope_data d where d.run_id = asked.run_id and d.scope = asked.path and d.variables is not null;
        when 'error' then
            return query
            select asked.kind, asked.run_id, asked.path, null::text, null::integer, null::varchar, d.error,
                   null::varchar, null::text, null::timestamptz
              from scope_data d where d.run_id = asked.run_id and d.scope = asked.path and d.error is not null;
        when 'earlier' then
            -- As the scope had them before that time: the last that was set, of each for itself.
            return query
            select asked.kind, asked.run_id, asked.path, null::text, null::integer, null::varchar,
                   jsonb_build_object(
                       'variables', (
                           select h.variables from scope_history h
                            where h.run_id = asked.run_id and h.scope = asked.path and h.since < asked.at
                              and (h.variables is not null or h.is_whole) order by h.since desc limit 1),
                       'error', (
                           select h.error from scope_history h
                            where h.run_id = asked.run_id and h.scope = asked.path and h.since < asked.at
                              and (h.error is not null or h.is_whole) order by h.since desc limit 1)),
                   null::varchar, null::text, null::timestamptz;
        when 'output' then
            return query
            select asked.kind, asked.run_id, asked.path, asked.name, null::integer, null::varchar, s.output_data,
                   null::varchar, null::text, null::timestamptz
              from step_executions s
             where s.run_id = asked.run_id and s.scope = asked.path and s.step_id = asked.name and s.status = 'COMPLETED'
             order by s.visit desc, s.attempt desc limit 1;
        when 'visits' then
            return query
            select asked.kind, asked.run_id, asked.path, asked.name, coalesce(max(s.visit), 0), null::varchar, null::jsonb,
                   null::varchar, null::text, null::timestamptz
              from step_executions s
             where s.run_id = asked.run_id and s.scope = asked.path and s.step_id = asked.name;
        when 'child' then
            return query
            select asked.kind, asked.run_id, c.path, c.child, c.index, c.status, c.input,
                   c.error_code, c.error_message, null::timestamptz
              from scope_children c where c.run_id = asked.run_id and c.path = asked.path and c.child = asked.name;
        when 'resuming' then
            -- A child that waits since a retry, with which one waits after it, and all within it that began and did not complete.
            return query
            select 'child', asked.run_id, c.path, c.child, c.index, c.status, c.input,
                   c.error_code, c.error_message, null::timestamptz
              from scope_children c where c.run_id = asked.run_id and c.path = asked.path and c.child = asked.name;
            return query
            select 'next', asked.run_id, c.path, c.child, c.next_waiting, null::varchar, null::jsonb,
                   null::varchar, null::text, null::timestamptz
              from scope_children c where c.run_id = asked.run_id and c.path = asked.path and c.child = asked.name;
            return query
            select 'child', asked.run_id, c.path, c.child, c.index, c.status, c.input,
                   c.error_code, c.error_message, null::timestamptz
              from scopes j
             cross join lateral (
                select * from scope_children of_join
                 where of_join.run_id = j.run_id and of_join.path = j.path and of_join.index < j.started
                   and of_join.status is distinct from 'COMPLETED'
                offset 0
             ) as c
             where j.run_id = asked.run_id and j.path >= asked.path || '/' || asked.name || '/'
               and j.path < asked.path || '/' || asked.name || '0';
        when 'unfinished' then
            return query
            select 'child', asked.run_id, c.path, c.child, c.index, c.status, c.input,
                   c.error_code, c.error_message, null::timestamptz
              from scopes j
             cross join lateral (
                select * from scope_children of_join
                 where of_join.run_id = j.run_id and of_join.path = j.path and of_join.index < j.started
                   and of_join.status is distinct from 'COMPLETED'
                offset 0
             ) as c
             where j.run_id = asked.run_id;
        when 'gathered' then
            return query
            select asked.kind, asked.run_id, c.path, c.child, c.index, c.status, c.output,
                   null::varchar, null::text, null::timestamptz
              from scope_children c where c.run_id = asked.run_id and c.path = asked.path order by c.index;
        when 'signal' then
            return query
            select asked.kind, asked.run_id, g.id::text, g.name::text, null::integer, g.taken_by, g.payload,
                   null::varchar, null::text, g.received_at
              from signals g where g.run_id = asked.run_id and g.id = asked.name;
        when 'untaken' then
            return query
            select 'signal', asked.run_id, g.id::text, g.name::text, null::integer, g.taken_by, g.payload,
                   null::varchar, null::text, g.received_at
              from signals g where g.run_id = asked.run_id and g.name = asked.name and g.taken_by is null
             order by g.received_at, g.id limit asked.number;
        when 'workflow' then
            return query
            select asked.kind, asked.run_id, w.id::text, asked.name, v.version, null::varchar,
                   jsonb_build_object('version_id', v.id, 'asked', asked.number), null::varchar, null::text, null::timestamptz
              -- Apart, so that no index of what is not archived is read from end to end for it.
              from (select * from workflows own where own.owner = asked.owner and own.name = asked.name offset 0) as w
             cross join lateral (
                select v.id, v.version from workflow_versions v
                 where v.workflow_id = w.id and v.version = coalesce(asked.number, w.latest_version) limit 1
             ) as v
             where w.archived_at is null;
        end case;
    end loop;
end
$$;
