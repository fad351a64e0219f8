-- What the migrations come to. Written by `npm run schema`.

CREATE OR REPLACE FUNCTION public.count_run()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public'
AS $function$
begin
    perform count_runs(
        case when tg_op = 'INSERT' then '{}' else array[counted_run(old)] end,
        case when tg_op = 'DELETE' then '{}' else array[counted_run(new)] end);
    return null;
end
$function$
;

CREATE OR REPLACE FUNCTION public.count_runs(before counted_run[], after counted_run[])
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
declare
    my_shard constant integer := pg_backend_pid() % 32;
    closed counted_run[];
    labels text[];
    unlabelled boolean;
begin
    if exists (select from unnest(before || after) v where v.community_id is not null) then
        -- A transaction may change several counts, in any order: one lock for them all, so that two cannot wait for each other.
        perform pg_advisory_xact_lock(7312010, my_shard);
        insert into run_counts as c (workflow_definition_id, community_id, owner, execution_status, shard, runs)
        select v.workflow_definition_id, v.community_id, v.owner, v.execution_status, my_shard, sum(v.change)
          from (select b.workflow_definition_id, b.community_id, b.owner, b.execution_status, -1 as change from unnest(before) b
                 union all
                select a.workflow_definition_id, a.community_id, a.owner, a.execution_status, 1 from unnest(after) a) as v
         where v.workflow_definition_id is not null and v.community_id is not null
         group by v.workflow_definition_id, v.community_id, v.owner, v.execution_status
        having sum(v.change) <> 0
            on conflict (workflow_definition_id, community_id, owner, execution_status, shard)
            do update set runs = c.runs + excluded.runs;
    end if;

    closed := array(
        select a from unnest(after) a
         where a.status in ('COMPLETED', 'FAILED', 'CANCELLED') and a.completed_at is not null
           and exists (select from unnest(before) b where b.run_id = a.run_id and b.status in ('PENDING', 'RUNNING')));
    if cardinality(closed) = 0 then return; end if;
    perform pg_advisory_xact_lock(7312010, my_shard);
    labels := array(select w.workflow_definition_id from labelled_workflows w
                     where w.workflow_definition_id in (select r.workflow_definition_id from unnest(closed) r));
    unlabelled := exists (
        select from unnest(closed) r where r.workflow_definition_id is not null and r.workflow_definition_id <> all(labels));
    -- One at a time gives places away, and nobody waits for one.
    if unlabelled and pg_try_advisory_xact_lock(7312011, 0) then
        with labelled as (
            insert into labelled_workflows (workflow_definition_id, workflow_name)
            select r.workflow_definition_id, min(r.workflow_name) from unnest(closed) r
             where r.workflow_definition_id is not null and r.workflow_definition_id <> all(labels)
             group by r.workflow_definition_id
             order by r.workflow_definition_id
             limit greatest(0, most_labelled_workflows() - (select count(*) from labelled_workflows))
                on conflict do nothing
            returning workflow_definition_id
        )
        select labels || array(select l.workflow_definition_id::text from labelled l) into labels;
    end if;
    insert into closed_run_counts as c (workflow_definition_id, status, bucket, shard, runs, seconds, counted_at)
    select v.label, v.status, width_bucket(v.took_us - 1, run_duration_bounds()), my_shard, count(*), sum(v.took_us) / 1e6, now()
      from (
        select case when r.workflow_definition_id = any(labels) then r.workflow_definition_id else '' end as label, r.status,
               -- Another producer's times may be any.
               (extract(epoch from greatest(interval '0', least(interval '100 years',
                   coalesce(r.completed_at - r.since, interval '0')))) * 1000000)::bigint as took_us
          from unnest(closed) r
      ) as v
     group by 1, 2, 3
        on conflict (workflow_definition_id, status, bucket, shard)
        do update set runs = c.runs + excluded.runs, seconds = c.seconds + excluded.seconds, counted_at = excluded.counted_at;
end
$function$
;

CREATE OR REPLACE FUNCTION public.counted_run(r workflow_runs)
 RETURNS counted_run
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN ROW((r).run_id, (r).workflow_definition_id, (r).workflow_name, (r).community_id, (r).owner, (r).status, (r).execution_status, COALESCE((r).retried_at, (r).begun_at), (r).completed_at)::counted_run
;

CREATE OR REPLACE FUNCTION public.keep_audit_record()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
    if tg_op = 'DELETE' and current_setting('stepline.purging_audit_log', true) = 'on' and old.at < now() - interval '30 days' then
        return old;
    end if;
    raise exception '% rows are never changed', tg_table_name using errcode = 'integrity_constraint_violation';
end
$function$
;

CREATE OR REPLACE FUNCTION public.load_agent_routes(names text[], owners text[])
 RETURNS TABLE(owner character varying, name character varying, kind character varying, address character varying, timeout_seconds integer, secret_encrypted bytea, previous_secret_encrypted bytea, speed_address_hash bytea, average_ms integer, speed_age_ms double precision)
 LANGUAGE plpgsql
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
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
$function$
;

CREATE OR REPLACE FUNCTION public.load_attempt_calls(ids text[])
 RETURNS TABLE(step_execution_id character varying, run_id character varying, run_status character varying, attempt_status character varying, accepted boolean, timeout_ms bigint, agent_name character varying, kind character varying, address character varying, agent_owner character varying, timeout_seconds integer, secret_encrypted bytea, previous_secret_encrypted bytea, speed_address_hash bytea, average_ms integer, speed_age_ms double precision)
 LANGUAGE plpgsql
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
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
$function$
;

CREATE OR REPLACE FUNCTION public.load_attempts(ids text[], with_input text[], others json)
 RETURNS TABLE(run_id character varying, step_execution_id character varying, step_id character varying, scope text, visit integer, attempt integer, policy_attempt integer, policy_retries integer[], status character varying, created_at timestamp with time zone, started_at timestamp with time zone, completed_at timestamp with time zone, timeout_ms bigint, due_at timestamp with time zone, deadline_at timestamp with time zone, accepted_at timestamp with time zone, heartbeat_ms bigint, heartbeat_due_at timestamp with time zone, republished_at timestamp with time zone, signal_name character varying, child_run_id character varying, wake_at timestamp with time zone, error_code character varying, input_data jsonb)
 LANGUAGE plpgsql
 STABLE
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
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
            case asked.kind
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
    select s.run_id, s.step_execution_id, s.step_id, s.scope, s.visit, s.attempt,
           s.policy_attempt, s.policy_retries, s.status, s.created_at, s.started_at, s.completed_at,
           s.timeout_ms, s.due_at, s.deadline_at, s.accepted_at, s.heartbeat_ms,
           s.heartbeat_due_at, s.republished_at, s.signal_name, s.child_run_id,
           s.wake_at, s.error_code,
           case when s.step_execution_id = any(inputs)
                     or s.child_run_id is not null and s.step_execution_id = any(resumable) then s.input_data end
      from step_executions s where s.step_execution_id = any(wanted || inputs || resumable);
end
$function$
;

CREATE OR REPLACE FUNCTION public.load_joins(run_ids text[], paths text[], all_of text[], within_runs text[], within_scopes text[])
 RETURNS TABLE(run_id character varying, path text, step_id character varying, step_execution_id character varying, total integer, needed integer, tolerated integer, started integer, waiting integer, next_waiting integer, completed integer, failed integer, output_bytes bigint, is_over boolean, failure_code character varying, failure_message text)
 LANGUAGE plpgsql
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
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
$function$
;

CREATE OR REPLACE FUNCTION public.load_run_data(inputs_of text[], variables_of text[], outputs_of text[], step_ids text[], others json)
 RETURNS TABLE(kind text, run_id character varying, path text, name text, number integer, status character varying, data jsonb, error_code character varying, error_message text, at timestamp with time zone)
 LANGUAGE plpgsql
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
#variable_conflict use_column
declare
    asked record;
begin
    if cardinality(inputs_of) > 0 then
        return query
        select 'input', r.run_id, '', null::text, null::integer, null::varchar, coalesce(r.input_data, r.variables),
               null::varchar, null::text, null::timestamptz
          from workflow_runs r where r.run_id = any(inputs_of);
    end if;
    if cardinality(variables_of) > 0 then
        return query
        select 'variables', r.run_id, '', null::text, null::integer, null::varchar,
               coalesce((select d.variables from scope_data d where d.run_id = r.run_id and d.scope = ''), r.variables, r.input_data),
               null::varchar, null::text, null::timestamptz
          from workflow_runs r where r.run_id = any(variables_of);
    end if;
    if cardinality(outputs_of) > 0 then
        return query
        select 'output', asked.run_id::varchar, '', asked.step_id, null::integer, null::varchar, latest.output_data,
               null::varchar, null::text, null::timestamptz
          from unnest(outputs_of, step_ids) as asked (run_id, step_id)
         cross join lateral (
            select s.output_data from step_executions s
             where s.run_id = asked.run_id and s.scope = '' and s.step_id = asked.step_id and s.status = 'COMPLETED'
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
$function$
;

CREATE OR REPLACE FUNCTION public.load_runs(run_ids text[], woken text[], ids text[], with_input text[], others json)
 RETURNS TABLE(run_id character varying, status character varying, sequence bigint, started_at timestamp with time zone, completed_at timestamp with time zone, error_code character varying, error_message text, error_step_id character varying, error_attempt integer, cancelled_at timestamp with time zone, cancelled_by character varying, cancel_reason text, retried_at timestamp with time zone, paused_at timestamp with time zone, steps_started integer, timeout_at timestamp with time zone, revisits boolean, parent_run_id character varying, parent_step_execution_id character varying, depth integer, wake_at timestamp with time zone, owner character varying, workflow_id character varying, workflow_version_id uuid, held_by character varying, is_workflow_paused boolean, step_execution_id character varying, step_id character varying, scope text, visit integer, attempt integer, policy_attempt integer, policy_retries integer[], created_at timestamp with time zone, timeout_ms bigint, due_at timestamp with time zone, deadline_at timestamp with time zone, accepted_at timestamp with time zone, heartbeat_ms bigint, heartbeat_due_at timestamp with time zone, republished_at timestamp with time zone, signal_name character varying, child_run_id character varying, input_data jsonb)
 LANGUAGE plpgsql
 STABLE
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET enable_bitmapscan TO 'off'
AS $function$
#variable_conflict use_column
begin
    return query
    select r.run_id, r.status, r.sequence, r.started_at, r.completed_at,
           r.error_code, r.error_message, r.error_step_id, r.error_attempt,
           r.cancelled_at, r.cancelled_by, r.cancel_reason, r.retried_at, r.paused_at,
           r.steps_started, r.timeout_at, r.revisits, r.parent_run_id, r.parent_step_execution_id,
           r.depth, r.wake_at, r.owner, r.workflow_id, r.workflow_version_id, r.held_by,
           case when r.status <> 'RUNNING' or r.run_id = any(woken)
                then exists (select from workflows w where w.paused_at is not null and w.id =
                         case when pg_input_is_valid(r.workflow_definition_id, 'uuid') then r.workflow_definition_id::uuid end) end,
           null::varchar, null::varchar, null::text, null::integer, null::integer,
           null::integer, null::integer[], null::timestamptz,
           null::bigint, null::timestamptz, null::timestamptz, null::timestamptz, null::bigint,
           null::timestamptz, null::timestamptz, null::varchar, null::varchar, null::jsonb
      from workflow_runs r where r.run_id = any(run_ids);
    if cardinality(ids) = 0 and others is null then return; end if;
    return query
    select s.run_id, s.status, null::bigint, s.started_at, s.completed_at,
           s.error_code, null::text, null::varchar, null::integer,
           null::timestamptz, null::varchar, null::text, null::timestamptz, null::timestamptz,
           null::integer, null::timestamptz, null::boolean, null::varchar, null::varchar,
           null::integer, s.wake_at, null::varchar, null::varchar, null::uuid, null::varchar,
           null::boolean,
           s.step_execution_id, s.step_id, s.scope, s.visit, s.attempt,
           s.policy_attempt, s.policy_retries, s.created_at,
           s.timeout_ms, s.due_at, s.deadline_at, s.accepted_at, s.heartbeat_ms,
           s.heartbeat_due_at, s.republished_at, s.signal_name, s.child_run_id, s.input_data
      from load_attempts(ids, with_input, others) s;
end
$function$
;

CREATE OR REPLACE FUNCTION public.lock_workflow_pause(workflow_id uuid, alone boolean)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
declare
    -- The first number tells these locks from others.
    key constant integer := hashtext(workflow_id::text);
begin
    if alone then perform pg_advisory_xact_lock(1, key); else perform pg_advisory_xact_lock_shared(1, key); end if;
end
$function$
;

CREATE OR REPLACE FUNCTION public.most_labelled_workflows()
 RETURNS integer
 LANGUAGE sql
 IMMUTABLE
RETURN 100
;

CREATE OR REPLACE FUNCTION public.purge_audit_log(keep_days integer, at_most integer)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public'
 SET "stepline.purging_audit_log" TO 'on'
AS $function$
declare
    removed integer;
    newest timestamptz;
begin
    if keep_days < 30 then
        raise exception 'audit records are kept for at least 30 days, not %', keep_days using errcode = 'invalid_parameter_value';
    end if;
    with past as materialized (
        select id from audit_log where at < now() - keep_days * interval '1 day'
         order by at, id limit at_most for update skip locked
    ), gone as (
        delete from audit_log using past where audit_log.id = past.id returning audit_log.at
    )
    select count(*), max(at) into removed, newest from gone;
    if removed > 0 then
        insert into audit_log (id, action, result, resource, request_id)
        values (gen_random_uuid(), 'purge_audit_log', 'SUCCESS',
                format('%s records up to %s, kept for %s days', removed, to_char(newest at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), keep_days),
                'timekeeper');
    end if;
    return removed;
end
$function$
;

CREATE OR REPLACE FUNCTION public.refuse_change()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
    raise exception '% rows are never changed', tg_table_name using errcode = 'integrity_constraint_violation';
end
$function$
;

CREATE OR REPLACE FUNCTION public.refuse_stale(what text, id text)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
begin
    raise exception 'The % % is not as it was loaded', what, id using errcode = 'SL001';
end
$function$
;

CREATE OR REPLACE FUNCTION public.refuse_stale_attempts(attempts json)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
begin
    perform refuse_stale('step execution', (
        select v.id from json_to_recordset(attempts) as v (id text)
          left join step_executions s on s.step_execution_id = v.id and s.xmin = pg_current_xact_id()::xid
         where s.id is null limit 1));
end
$function$
;

CREATE OR REPLACE FUNCTION public.remove_outbox(ids uuid[])
 RETURNS void
 LANGUAGE plpgsql
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
begin
    perform set_config('synchronous_commit', 'off', true);
    delete from outbox where id = any(ids);
end
$function$
;

CREATE OR REPLACE FUNCTION public.run_duration_bounds()
 RETURNS bigint[]
 LANGUAGE sql
 IMMUTABLE
RETURN ARRAY[(50000)::bigint, (100000)::bigint, (250000)::bigint, (500000)::bigint, (1000000)::bigint, (2500000)::bigint, (5000000)::bigint, (10000000)::bigint, (30000000)::bigint, (60000000)::bigint, (300000000)::bigint, (1800000000)::bigint, '3600000000'::bigint, '21600000000'::bigint, '86400000000'::bigint]
;

CREATE OR REPLACE FUNCTION public.runs_not_saved(runs json)
 RETURNS text[]
 LANGUAGE plpgsql
AS $function$
begin
    return array(
        select v.run_id from json_to_recordset(runs) as v (run_id text)
          left join workflow_runs r on r.run_id = v.run_id and r.xmin = pg_current_xact_id()::xid where r.run_id is null);
end
$function$
;

CREATE OR REPLACE FUNCTION public.save_runs(advanced json, changed json, closed json, continued json, opened json, joins json, children json, data json, signals_kept json, signals_taken json, runs_started json, audited json, outbox_id uuid, messages json, published uuid[], agent_names text[], agent_owners text[])
 RETURNS TABLE(owner character varying, name character varying, kind character varying, address character varying, timeout_seconds integer, secret_encrypted bytea, previous_secret_encrypted bytea, speed_address_hash bytea, average_ms integer, speed_age_ms double precision)
 LANGUAGE plpgsql
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET enable_bitmapscan TO 'off'
 SET "stepline.counts_runs" TO 'at_once'
AS $function$
#variable_conflict use_column
declare
    written integer;
    inserted integer;
    moved_on text[] := '{}';
    counted_ids text[];
    counted_before counted_run[];
begin
    if advanced is not null and changed is not null then
        perform from workflow_runs r
          where r.run_id = any(array(
                    select v.run_id from json_to_recordset(advanced) as v (run_id text)
                    union all select v.run_id from json_to_recordset(changed) as v (run_id text)))
          order by r.run_id for update;
    end if;
    if advanced is not null then
        update workflow_runs as r
           set sequence = v.sequence, steps_started = v.steps_started, updated_at = now()
          from json_to_recordset(advanced) as v (run_id text, was bigint, sequence bigint, steps_started integer)
         where r.run_id = any(array[v.run_id]) and r.sequence is not distinct from v.was and r.status is not distinct from 'RUNNING';
        get diagnostics written = row_count;
        if written < json_array_length(advanced) then moved_on := runs_not_saved(advanced); end if;
    end if;
    if changed is not null then
        counted_ids := array(select v.run_id from json_to_recordset(changed) as v (run_id text));
        counted_before := array(select counted_run(r) from workflow_runs r where r.run_id = any(counted_ids));
        update workflow_runs as r
           set status = v.status, sequence = v.sequence, started_at = v.started_at, completed_at = v.completed_at,
               output_data = v.output_data, error_message = v.error_message, error_code = v.error_code,
               error_step_id = v.error_step_id, error_attempt = v.error_attempt, cancelled_at = v.cancelled_at,
               cancelled_by = v.cancelled_by, cancel_reason = v.cancel_reason, retried_at = v.retried_at, paused_at = v.paused_at,
               held_by = case when v.paused_at is not null then coalesce(v.held_by, r.held_by) end,
               steps_started = v.steps_started, timeout_at = v.timeout_at, revisits = v.revisits,
               parent_step_execution_id = coalesce(v.parent_step_execution_id, r.parent_step_execution_id),
               wake_at = v.wake_at, workflow_version_id = v.workflow_version_id,
               version = coalesce(v.version, r.version), workflow_id = coalesce(v.workflow_id, r.workflow_id),
               updated_at = now()
          from json_to_recordset(changed) as v (
            run_id text, was bigint, status text, sequence bigint, started_at timestamptz, completed_at timestamptz, output_data jsonb,
            error_message text, error_code text, error_step_id text, error_attempt integer, cancelled_at timestamptz,
            cancelled_by text, cancel_reason text, retried_at timestamptz, paused_at timestamptz, steps_started integer,
            timeout_at timestamptz, revisits boolean, parent_step_execution_id text, wake_at timestamptz, held_by text,
            workflow_version_id uuid, version integer, workflow_id text
          )
         where r.run_id = any(array[v.run_id]) and r.sequence is not distinct from v.was;
        get diagnostics written = row_count;
        if written < json_array_length(changed) then moved_on := moved_on || runs_not_saved(changed); end if;
        -- What was decided by whether a workflow is paused: that stays so until this is committed.
        moved_on := moved_on || array(
            select v.run_id from json_to_recordset(changed) as v (run_id text, workflow_was_paused boolean)
              join workflow_runs r on r.run_id = any(array[v.run_id])
             where v.workflow_was_paused is not null and workflow_is_paused(r.workflow_definition_id) <> v.workflow_was_paused);
    end if;
    if cardinality(moved_on) > 0 then
        raise exception 'Runs went on meanwhile' using errcode = 'SL002', detail = array_to_json(moved_on)::text;
    end if;
    if closed is not null then
        -- By the id that other producers' attempts have too, which need not be a uuid.
        update step_executions as s
           set status = v.status, output_data = v.output_data, error_message = v.error_message, error_code = v.error_code,
               logs = v.logs, completed_at = v.completed_at,
               -- Of a step that began and ended at once.
               input_data = coalesce(s.input_data, v.input_data), started_at = coalesce(s.started_at, v.started_at),
               child_run_id = coalesce(v.child_run_id, s.child_run_id),
               due_at = null, heartbeat_due_at = null, wake_at = null
          from json_to_recordset(closed) as v (
            id text, status text, input_data jsonb, output_data jsonb, error_message text, error_code text, logs jsonb,
            started_at timestamptz, completed_at timestamptz, child_run_id text
          )
         where s.step_execution_id = any(array[v.id])
           and (s.status is not distinct from 'RUNNING' or s.status is not distinct from 'PENDING');
        get diagnostics written = row_count;
        if written < json_array_length(closed) then perform refuse_stale_attempts(closed); end if;
    end if;
    if continued is not null then
        update step_executions as s
           set status = v.status, input_data = coalesce(s.input_data, v.input_data), started_at = v.started_at, due_at = v.due_at,
               deadline_at = v.deadline_at, heartbeat_ms = v.heartbeat_ms, heartbeat_due_at = v.heartbeat_due_at,
               republished_at = v.republished_at, signal_name = v.signal_name, child_run_id = v.child_run_id, wake_at = v.wake_at
          from json_to_recordset(continued) as v (
            id text, status text, input_data jsonb, started_at timestamptz, due_at timestamptz, deadline_at timestamptz,
            heartbeat_ms bigint, heartbeat_due_at timestamptz, republished_at timestamptz, signal_name text, child_run_id text,
            wake_at timestamptz
          )
         where s.step_execution_id = any(array[v.id])
           and (s.status is not distinct from 'RUNNING' or s.status is not distinct from 'PENDING');
        get diagnostics written = row_count;
        if written < json_array_length(continued) then perform refuse_stale_attempts(continued); end if;
    end if;
    if opened is not null then
        insert into step_executions (
            id, step_execution_id, run_id, step_id, step_name, agent_name, step_type, status, input_data, output_data,
            error_message, error_code, created_at, started_at, completed_at, scope, visit, attempt, policy_attempt, policy_retries,
            timeout_ms, due_at, deadline_at, heartbeat_ms, heartbeat_due_at, signal_name, child_run_id, wake_at
        )
        select v.id, v.id::text, v.run_id, v.step_id, v.step_name, v.agent_name, v.step_type, v.status, v.input_data, v.output_data,
               v.error_message, v.error_code, v.created_at, v.started_at, v.completed_at, v.scope, v.visit, v.attempt,
               v.policy_attempt, v.policy_retries, v.timeout_ms, v.due_at, v.deadline_at, v.heartbeat_ms, v.heartbeat_due_at,
               v.signal_name, v.child_run_id, v.wake_at
          from json_to_recordset(opened) as v (
            id uuid, run_id text, step_id text, step_name text, agent_name text, step_type text, status text, input_data jsonb,
            output_data jsonb, error_message text, error_code text, created_at timestamptz, started_at timestamptz,
            completed_at timestamptz, scope text, visit integer, attempt integer, policy_attempt integer, policy_retries integer[],
            timeout_ms bigint, due_at timestamptz, deadline_at timestamptz, heartbeat_ms bigint, heartbeat_due_at timestamptz,
            signal_name text, child_run_id text, wake_at timestamptz
          );
    end if;
    if joins is not null then
        -- A child counts once: the counters are as they were when it was counted in.
        update scopes as j
           set step_execution_id = v.step_execution_id, total = v.total, needed = v.needed, tolerated = v.tolerated,
               started = v.started, waiting = coalesce(v.waiting, 0), next_waiting = v.next_waiting, completed = v.completed, failed = v.failed, output_bytes = v.output_bytes,
               is_over = v.is_over, failure_code = v.failure_code, failure_message = v.failure_message
          from json_to_recordset(joins) as v (
            run_id text, path text, step_execution_id text, total integer, needed integer, tolerated integer, started integer,
            waiting integer, next_waiting integer, completed integer, failed integer, output_bytes bigint, is_over boolean, failure_code text, failure_message text,
            was_completed integer, was_failed integer
          )
         where j.run_id = any(array[v.run_id]) and j.path = any(array[v.path]) and v.was_completed is not null
           and j.completed is not distinct from v.was_completed and j.failed is not distinct from v.was_failed;
        get diagnostics written = row_count;
        if written < json_array_length(joins) then
            insert into scopes (
                run_id, path, step_id, step_execution_id, total, needed, tolerated, started, completed, failed, output_bytes,
                is_over, failure_code, failure_message
            )
            select v.run_id, v.path, v.step_id, v.step_execution_id, v.total, v.needed, v.tolerated, v.started, v.completed,
                   v.failed, v.output_bytes, v.is_over, v.failure_code, v.failure_message
              from json_to_recordset(joins) as v (
                run_id text, path text, step_id text, step_execution_id text, total integer, needed integer, tolerated integer,
                started integer, completed integer, failed integer, output_bytes bigint, is_over boolean, failure_code text,
                failure_message text, was_completed integer
              )
             where v.was_completed is null;
            get diagnostics inserted = row_count;
            if written + inserted < json_array_length(joins) then
                perform refuse_stale('join', (
                    select v.path from json_to_recordset(joins) as v (run_id text, path text)
                      left join scopes j on j.run_id = v.run_id and j.path = v.path and j.xmin = pg_current_xact_id()::xid
                     where j.run_id is null limit 1));
            end if;
        end if;
    end if;
    if children is not null then
        -- All items of a map at once, or one that goes on. What it was given stays.
        insert into scope_children as c (run_id, path, child, index, status, next_waiting, input, output, error_code, error_message)
        select v.run_id, v.path, v.child, v.index, v.status, v.next_waiting, v.input, v.output, v.error_code, v.error_message
          from json_to_recordset(children) as v (
            run_id text, path text, child text, index integer, status text, next_waiting integer, input jsonb, output jsonb,
            error_code text, error_message text
          )
            on conflict (run_id, path, child) do update
           set status = excluded.status, next_waiting = excluded.next_waiting, output = excluded.output, error_code = excluded.error_code,
               error_message = excluded.error_message;
    end if;
    if data is not null then
        -- A retry goes back to how it was, which may be that nothing was set: what was since is gone. It comes first of its run.
        if exists (select from json_to_recordset(data) as v (is_whole boolean) where v.is_whole) then
            delete from scope_data as d using json_to_recordset(data) as v (run_id text, scope text, is_whole boolean)
             where v.is_whole and d.run_id = any(array[v.run_id]) and d.scope = any(array[v.scope]);
        end if;
        -- The last that was set of each; null is what was not set now.
        insert into scope_data as d (run_id, scope, variables, error)
        select v.run_id, v.scope,
               (array_agg(v.variables order by v.since desc) filter (where v.variables is not null))[1],
               (array_agg(v.error order by v.since desc) filter (where v.error is not null))[1]
          from json_to_recordset(data) as v (
            run_id text, scope text, since timestamptz, variables jsonb, error jsonb
          )
         where v.variables is not null or v.error is not null
         group by v.run_id, v.scope
            on conflict (run_id, scope) do update
           set variables = coalesce(excluded.variables, d.variables), error = coalesce(excluded.error, d.error);
        -- The release before tells no time.
        insert into scope_history as h (run_id, scope, since, variables, error, is_whole)
        select v.run_id, v.scope, v.since, v.variables, v.error, coalesce(v.is_whole, false)
          from json_to_recordset(data) as v (
            run_id text, scope text, since timestamptz, variables jsonb, error jsonb, is_whole boolean
          )
         where v.since is not null
            on conflict (run_id, scope, since) do update
           set variables = coalesce(excluded.variables, h.variables), error = coalesce(excluded.error, h.error);
    end if;
    if signals_kept is not null then
        insert into signals (run_id, id, name, payload, received_at, taken_by)
        select v.run_id, v.id, v.name, v.payload, v.received_at, v.taken_by
          from json_to_recordset(signals_kept) as v (
            run_id text, id text, name text, payload jsonb, received_at timestamptz, taken_by text
          );
    end if;
    if signals_taken is not null then
        update signals as g set taken_by = v.taken_by
          from json_to_recordset(signals_taken) as v (run_id text, id text, taken_by text)
         where g.run_id = any(array[v.run_id]) and g.id = any(array[v.id]) and coalesce(g.taken_by, '') is not distinct from '';
        get diagnostics written = row_count;
        if written < json_array_length(signals_taken) then
            perform refuse_stale('signal', (
                select v.id from json_to_recordset(signals_taken) as v (run_id text, id text)
                  left join signals g on g.run_id = v.run_id and g.id = v.id and g.xmin = pg_current_xact_id()::xid
                 where g.run_id is null limit 1));
        end if;
    end if;
    if runs_started is not null then
        insert into workflow_runs (
            id, run_id, workflow_id, workflow_name, workflow_definition_id, workflow_version_id, version, status, owner,
            triggered_by, community_id, input_data, depth, parent_run_id, parent_step_execution_id, created_at, updated_at,
            wake_at, paused_at, held_by
        )
        select v.id, v.run_id, v.workflow_id, v.workflow_name, v.workflow_definition_id, v.workflow_version_id, v.version,
               'PENDING', p.owner, p.triggered_by, p.community_id, v.input_data, v.depth, v.parent_run_id,
               v.parent_step_execution_id, v.created_at, v.created_at, v.wake_at,
               (select v.created_at from workflows w
                 where w.id = v.workflow_definition_id::uuid and w.paused_at is not null),
               (select 'workflow' from workflows w
                 where w.id = v.workflow_definition_id::uuid and w.paused_at is not null)
          from json_to_recordset(runs_started) as v (
            id uuid, run_id text, workflow_id text, workflow_name text, workflow_definition_id text, workflow_version_id uuid,
            version integer, input_data jsonb, depth integer, parent_run_id text, parent_step_execution_id text,
            created_at timestamptz, wake_at timestamptz
          )
          join workflow_runs p on p.run_id = any(array[v.parent_run_id]);
        get diagnostics written = row_count;
        if written < json_array_length(runs_started) then
            perform refuse_stale('run', (
                select v.parent_run_id from json_to_recordset(runs_started) as v (parent_run_id text)
                  left join workflow_runs p on p.run_id = v.parent_run_id where p.run_id is null limit 1));
        end if;
        counted_ids := counted_ids || array(select v.run_id from json_to_recordset(runs_started) as v (run_id text));
    end if;
    if counted_ids is not null then
        perform count_runs(
            counted_before, array(select counted_run(r) from workflow_runs r where r.run_id = any(counted_ids)));
    end if;
    if audited is not null then
        insert into audit_log (id, user_id, api_key_id, community_id, action, result, resource, request_id, source_address)
        select v.id, v.user_id, v.api_key_id, v.community_id, v.action, v.result, v.resource, v.request_id, v.source_address
          from json_to_recordset(audited) as v (
            id uuid, user_id text, api_key_id uuid, community_id bigint, action text, result text, resource text, request_id text,
            source_address text
          );
    end if;
    if cardinality(save_runs.published) > 0 then delete from outbox o where o.id = any(save_runs.published); end if;
    insert into outbox (id, messages) values (outbox_id, save_runs.messages);
    if cardinality(agent_names) > 0 then
        return query select * from load_agent_routes(agent_names, agent_owners);
    end if;
end
$function$
;

CREATE OR REPLACE FUNCTION public.searchable_words(error_code text, error_message text, logs jsonb)
 RETURNS tsvector
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE COST 10000
 SET search_path TO 'public'
RETURN to_tsvector('simple'::regconfig, words_of("left"(((((COALESCE(error_code, ''::text) || ' '::text) || COALESCE(error_message, ''::text)) || ' '::text) || COALESCE(regexp_replace("left"((logs)::text, 50000), '\\(u[0-9a-f]{4}|.)'::text, ' '::text, 'g'::text), ''::text)), 50000)))
;

CREATE OR REPLACE FUNCTION public.settle_outbox(settled json)
 RETURNS void
 LANGUAGE plpgsql
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET enable_bitmapscan TO 'off'
AS $function$
begin
    perform set_config('synchronous_commit', 'off', true);
    update outbox as o
       set published = case when length(o.published) = length(v.published) then o.published | v.published
                            else v.published end,
           retry_at = coalesce(now() + v.retry_in_ms * interval '1 millisecond', o.retry_at),
           refused_since = case when v.is_refused then coalesce(o.refused_since, now())
                                when not v.is_refused then null else o.refused_since end
      from json_to_recordset(settled) as v (
               id uuid, published bit varying, retry_in_ms double precision, is_refused boolean)
     where o.id = any(array[v.id]) and json_array_length(o.messages) = length(v.published);
    delete from outbox
     where id = any(array(select v.id from json_to_recordset(settled) as v (id uuid)))
       and position(B'0' in published) = 0;
end
$function$
;

CREATE OR REPLACE FUNCTION public.words_of(given text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN regexp_replace(given, '[\x01-\x2f\x3a-\x40\x5b-\x60\x7b-\x7f]+'::text, ' '::text, 'g'::text)
;

CREATE OR REPLACE FUNCTION public.workflow_is_paused(workflow_definition_id text)
 RETURNS boolean
 LANGUAGE plpgsql
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
begin
    -- Another producer may have written anything.
    if not coalesce(pg_input_is_valid(workflow_definition_id, 'uuid'), false) then return false; end if;
    perform lock_workflow_pause(workflow_definition_id::uuid, false);
    -- A statement of its own, and so what was committed until now.
    return exists (select from workflows w where w.id = workflow_definition_id::uuid and w.paused_at is not null);
end
$function$
;

create table agent_speeds (
    name character varying(255) not null,
    owner character varying(255) not null,
    address_hash bytea not null,
    average_ms integer not null,
    measured_at timestamp with time zone default now() not null,
    constraint agent_speeds_pkey PRIMARY KEY (name, owner)
);

create table agents (
    id uuid not null,
    owner character varying(255),
    name character varying(128) not null,
    kind character varying(16) not null,
    address character varying(2048) not null,
    timeout_seconds integer,
    secret_encrypted bytea,
    created_at timestamp with time zone default now() not null,
    updated_at timestamp with time zone default now() not null,
    example_output jsonb,
    example_output_bytes integer default octet_length((example_output)::text),
    previous_secret_encrypted bytea,
    previous_secret_until timestamp with time zone,
    constraint agents_kind_check CHECK (((kind)::text = ANY ((ARRAY['http'::character varying, 'lambda'::character varying, 'kafka'::character varying])::text[]))),
    constraint agents_timeout_seconds_check CHECK ((timeout_seconds > 0)),
    constraint agents_pkey PRIMARY KEY (id),
    constraint agents_name_owner_key UNIQUE NULLS NOT DISTINCT (name, owner)
);

CREATE INDEX agents_of_owner ON public.agents USING btree (owner, name);

create table api_keys (
    id uuid not null,
    key_hash bytea not null,
    prefix character varying(32) not null,
    name character varying(255) not null,
    user_id character varying(255) not null,
    roles text[] default '{}'::text[] not null,
    communities bigint[] default '{}'::bigint[] not null,
    tier character varying(32) default 'standard'::character varying not null,
    scopes text[] default '{}'::text[] not null,
    created_at timestamp with time zone default now() not null,
    expires_at timestamp with time zone,
    last_used_at timestamp with time zone,
    revoked_at timestamp with time zone,
    constraint api_keys_pkey PRIMARY KEY (id),
    constraint api_keys_key_hash_key UNIQUE (key_hash)
);

CREATE INDEX api_keys_of_user ON public.api_keys USING btree (user_id, created_at DESC);

create table audit_log (
    id uuid not null,
    at timestamp with time zone default now() not null,
    user_id character varying(255),
    api_key_id uuid,
    community_id bigint,
    action character varying(64) not null,
    result character varying(32) not null,
    resource character varying(255),
    request_id character varying(255),
    source_address character varying(255),
    constraint audit_log_pkey PRIMARY KEY (id)
);

CREATE INDEX audit_log_newest ON public.audit_log USING btree (at DESC, id DESC);

CREATE INDEX audit_log_newest_of_user ON public.audit_log USING btree (user_id, at DESC, id DESC);

CREATE TRIGGER audit_log_is_append_only BEFORE DELETE OR UPDATE ON public.audit_log FOR EACH ROW EXECUTE FUNCTION keep_audit_record();

CREATE TRIGGER audit_log_is_never_emptied BEFORE TRUNCATE ON public.audit_log FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

create table closed_run_counts (
    workflow_definition_id character varying(255) not null,
    status character varying(50) not null,
    bucket smallint not null,
    shard smallint not null,
    runs bigint not null,
    seconds double precision not null,
    counted_at timestamp with time zone not null,
    constraint closed_run_counts_pkey PRIMARY KEY (workflow_definition_id, status, bucket, shard)
) with (fillfactor=70);

create table dead_letter_counts (
    topic character varying(255) not null,
    partition integer not null,
    letters bigint not null,
    last_offset bigint not null,
    constraint dead_letter_counts_pkey PRIMARY KEY (topic, partition)
) with (fillfactor=70);

create table idempotency_keys (
    user_id character varying(255) not null,
    key character varying(255) not null,
    request_hash bytea not null,
    run_id character varying(255) not null,
    created_at timestamp with time zone default now() not null,
    constraint idempotency_keys_pkey PRIMARY KEY (user_id, key)
);

CREATE INDEX idempotency_keys_oldest ON public.idempotency_keys USING btree (created_at);

create table labelled_workflows (
    workflow_definition_id character varying(255) not null,
    workflow_name character varying(255) not null,
    constraint labelled_workflows_pkey PRIMARY KEY (workflow_definition_id)
);

create table outbox (
    id uuid not null,
    messages json not null,
    created_at timestamp with time zone default clock_timestamp() not null,
    retry_at timestamp with time zone,
    published bit varying,
    refused_since timestamp with time zone,
    constraint outbox_pkey PRIMARY KEY (id)
);

create table rate_limits (
    bucket text not null,
    tokens double precision not null,
    refilled_at timestamp with time zone not null,
    admitted boolean not null,
    constraint rate_limits_pkey PRIMARY KEY (bucket)
) with (fillfactor=50, autovacuum_vacuum_scale_factor=0.05);

create table run_counts (
    workflow_definition_id character varying(255) not null,
    community_id bigint not null,
    owner character varying(255),
    execution_status character varying(50) not null,
    shard smallint not null,
    runs bigint not null,
    constraint run_counts_workflow_definition_id_community_id_owner_execut_key UNIQUE NULLS NOT DISTINCT (workflow_definition_id, community_id, owner, execution_status, shard)
) with (fillfactor=70);

create table schema_migrations (
    name text not null,
    applied_at timestamp with time zone default now() not null,
    constraint schema_migrations_pkey PRIMARY KEY (name)
);

create table scope_children (
    run_id character varying(255) not null,
    path text not null,
    child text not null,
    index integer not null,
    status character varying(50) not null,
    input jsonb,
    output jsonb,
    error_code character varying(255),
    error_message text,
    next_waiting integer,
    constraint scope_children_status CHECK (((status)::text = ANY ((ARRAY['PENDING'::character varying, 'RUNNING'::character varying, 'COMPLETED'::character varying, 'FAILED'::character varying, 'CANCELLED'::character varying])::text[]))),
    constraint scope_children_pkey PRIMARY KEY (run_id, path, child)
) with (fillfactor=80);

create table scope_data (
    run_id character varying(255) not null,
    scope text not null,
    variables jsonb,
    error jsonb,
    constraint scope_data_pkey PRIMARY KEY (run_id, scope)
);

create table scope_history (
    run_id character varying(255) not null,
    scope text not null,
    since timestamp with time zone not null,
    variables jsonb,
    error jsonb,
    is_whole boolean default false not null,
    constraint scope_history_pkey PRIMARY KEY (run_id, scope, since)
);

create table scopes (
    run_id character varying(255) not null,
    path text not null,
    step_id character varying(255) not null,
    step_execution_id character varying(255) not null,
    total integer not null,
    needed integer not null,
    tolerated integer not null,
    started integer not null,
    completed integer not null,
    failed integer not null,
    output_bytes bigint not null,
    is_over boolean not null,
    failure_code character varying(255),
    failure_message text,
    waiting integer default 0 not null,
    next_waiting integer,
    constraint scopes_pkey PRIMARY KEY (run_id, path)
) with (fillfactor=50);

create table signals (
    run_id character varying(255) not null,
    id character varying(255) not null,
    name character varying(255) not null,
    payload jsonb,
    received_at timestamp with time zone not null,
    taken_by character varying(255),
    constraint signals_pkey PRIMARY KEY (run_id, id)
);

CREATE INDEX signals_untaken ON public.signals USING btree (run_id, name, received_at, id) WHERE (taken_by IS NULL);

create table step_executions (
    id uuid default gen_random_uuid() not null,
    step_execution_id character varying(255) not null,
    run_id character varying(255) not null,
    step_id character varying(255) not null,
    step_name character varying(255) not null,
    agent_name character varying(255) not null,
    status character varying(50) not null,
    input_data jsonb,
    output_data jsonb,
    error_message text,
    started_at timestamp with time zone default now(),
    completed_at timestamp with time zone,
    step_type character varying(255) default 'agent'::character varying not null,
    scope text default ''::character varying not null,
    visit integer default 1 not null,
    attempt integer default 1 not null,
    policy_attempt integer default 1 not null,
    error_code character varying(255),
    logs jsonb,
    created_at timestamp with time zone default now() not null,
    timeout_ms bigint,
    due_at timestamp with time zone,
    deadline_at timestamp with time zone,
    accepted_at timestamp with time zone,
    republished_at timestamp with time zone,
    wake_at timestamp with time zone,
    heartbeat_ms bigint,
    heartbeat_due_at timestamp with time zone,
    signal_name character varying(255),
    child_run_id character varying(255),
    policy_retries integer[],
    leased_until timestamp with time zone,
    lease_ms bigint,
    constraint step_executions_status CHECK (((status)::text = ANY ((ARRAY['PENDING'::character varying, 'RUNNING'::character varying, 'COMPLETED'::character varying, 'FAILED'::character varying, 'CANCELLED'::character varying])::text[]))),
    constraint step_executions_pkey PRIMARY KEY (id),
    constraint step_executions_run_id_scope_step_id_visit_attempt_key UNIQUE (run_id, scope, step_id, visit, attempt),
    constraint step_executions_step_execution_id_key UNIQUE (step_execution_id)
);

CREATE INDEX step_executions_due ON public.step_executions USING btree (wake_at) WHERE ((wake_at IS NOT NULL) AND ((status)::text = ANY ((ARRAY['PENDING'::character varying, 'RUNNING'::character varying])::text[])));

CREATE INDEX step_executions_open ON public.step_executions USING btree (run_id, scope) WHERE ((status)::text = ANY ((ARRAY['PENDING'::character varying, 'RUNNING'::character varying])::text[]));

CREATE INDEX step_executions_waiting ON public.step_executions USING btree (run_id, signal_name, created_at, id) WHERE ((signal_name IS NOT NULL) AND ((status)::text = 'RUNNING'::text));

CREATE INDEX step_executions_words ON public.step_executions USING gin (searchable_words((error_code)::text, error_message, logs)) WHERE ((error_message IS NOT NULL) OR (logs IS NOT NULL));

create table timekeeper_tick (
    only_row boolean default true not null,
    ticked_at timestamp with time zone,
    constraint timekeeper_tick_only_row_check CHECK (only_row),
    constraint timekeeper_tick_pkey PRIMARY KEY (only_row)
) with (fillfactor=50);

create table workflow_grants (
    id uuid not null,
    workflow_id uuid not null,
    user_id character varying(255),
    community_id bigint,
    can_view boolean not null,
    can_execute boolean not null,
    created_at timestamp with time zone default now() not null,
    updated_at timestamp with time zone default now() not null,
    granted_by character varying(255) not null,
    constraint workflow_grants_check CHECK ((num_nonnulls(user_id, community_id) = 1)),
    constraint workflow_grants_check1 CHECK ((can_view OR (NOT can_execute))),
    constraint workflow_grants_workflow_id_fkey FOREIGN KEY (workflow_id) REFERENCES workflows(id),
    constraint workflow_grants_pkey PRIMARY KEY (id),
    constraint workflow_grants_workflow_id_user_id_community_id_key UNIQUE NULLS NOT DISTINCT (workflow_id, user_id, community_id)
);

CREATE INDEX workflow_grants_of_community ON public.workflow_grants USING btree (community_id, workflow_id) WHERE (community_id IS NOT NULL);

CREATE INDEX workflow_grants_of_user ON public.workflow_grants USING btree (user_id, workflow_id) WHERE (user_id IS NOT NULL);

create table workflow_runs (
    id uuid default gen_random_uuid() not null,
    run_id character varying(255) not null,
    workflow_id character varying(255) not null,
    workflow_name character varying(255) not null,
    workflow_definition_id character varying(255),
    status character varying(50) not null,
    input_data jsonb,
    error_message text,
    triggered_by character varying(255),
    created_at timestamp with time zone default now(),
    updated_at timestamp with time zone default now(),
    completed_at timestamp with time zone,
    cancelled_at timestamp with time zone,
    cancelled_by character varying(255),
    owner character varying(255),
    workflow_version_id uuid,
    version integer,
    community_id bigint,
    variables jsonb,
    metadata jsonb,
    output_data jsonb,
    sequence bigint default 0 not null,
    started_at timestamp with time zone,
    paused_at timestamp with time zone,
    cancel_reason text,
    retried_at timestamp with time zone,
    error_code character varying(255),
    error_step_id character varying(255),
    error_attempt integer,
    wake_at timestamp with time zone default (now() + '00:01:00'::interval),
    execution_status character varying(50) default 
CASE
    WHEN ((paused_at IS NOT NULL) AND ((status)::text = ANY ((ARRAY['PENDING'::character varying, 'RUNNING'::character varying])::text[]))) THEN 'PAUSED'::character varying
    ELSE status
END not null,
    begun_at timestamp with time zone default COALESCE(started_at, created_at),
    execution_time interval default (completed_at - COALESCE(started_at, created_at)),
    steps_started integer default 0 not null,
    timeout_at timestamp with time zone,
    revisits boolean default false not null,
    parent_run_id character varying(255),
    parent_step_execution_id character varying(255),
    depth integer default 0 not null,
    held_by character varying(20),
    leased_until timestamp with time zone,
    lease_ms bigint,
    constraint workflow_runs_status CHECK (((status)::text = ANY ((ARRAY['PENDING'::character varying, 'RUNNING'::character varying, 'COMPLETED'::character varying, 'FAILED'::character varying, 'CANCELLED'::character varying])::text[]))),
    constraint workflow_runs_workflow_version_id_fkey FOREIGN KEY (workflow_version_id) REFERENCES workflow_versions(id),
    constraint workflow_runs_pkey PRIMARY KEY (id),
    constraint workflow_runs_run_id_key UNIQUE (run_id)
) with (fillfactor=80);

CREATE INDEX workflow_runs_due ON public.workflow_runs USING btree (wake_at) WHERE ((wake_at IS NOT NULL) AND ((status)::text = ANY ((ARRAY['PENDING'::character varying, 'RUNNING'::character varying])::text[])));

CREATE INDEX workflow_runs_executions_by_start ON public.workflow_runs USING btree (workflow_definition_id, community_id, begun_at, id) WHERE (community_id IS NOT NULL);

CREATE INDEX workflow_runs_executions_by_status ON public.workflow_runs USING btree (workflow_definition_id, community_id, execution_status, begun_at, id) WHERE (community_id IS NOT NULL);

CREATE INDEX workflow_runs_executions_by_time ON public.workflow_runs USING btree (workflow_definition_id, community_id, execution_time, id) WHERE (community_id IS NOT NULL);

CREATE INDEX workflow_runs_held_by_workflow ON public.workflow_runs USING btree (workflow_definition_id, id) WHERE (((status)::text = ANY ((ARRAY['PENDING'::character varying, 'RUNNING'::character varying])::text[])) AND ((held_by)::text = ANY ((ARRAY['workflow'::character varying, 'both'::character varying])::text[])));

CREATE INDEX workflow_runs_latest_of_owner ON public.workflow_runs USING btree (owner, begun_at, id);

CREATE INDEX workflow_runs_metrics_by_start ON public.workflow_runs USING btree (workflow_definition_id, begun_at) INCLUDE (version, execution_status, execution_time, owner);

CREATE INDEX workflow_runs_newest ON public.workflow_runs USING btree (created_at DESC, id DESC);

CREATE INDEX workflow_runs_newest_of_owner ON public.workflow_runs USING btree (owner, created_at DESC, id DESC);

CREATE INDEX workflow_runs_newest_of_workflow ON public.workflow_runs USING btree (workflow_definition_id, created_at DESC, id DESC);

CREATE INDEX workflow_runs_newest_open ON public.workflow_runs USING btree (created_at DESC, id DESC) WHERE ((status)::text = ANY ((ARRAY['PENDING'::character varying, 'RUNNING'::character varying])::text[]));

CREATE INDEX workflow_runs_newest_unsuccessful ON public.workflow_runs USING btree (created_at DESC, id DESC) WHERE ((status)::text = ANY ((ARRAY['FAILED'::character varying, 'CANCELLED'::character varying])::text[]));

CREATE INDEX workflow_runs_not_picked_up ON public.workflow_runs USING btree (created_at) WHERE (((status)::text = 'PENDING'::text) AND (paused_at IS NULL));

CREATE INDEX workflow_runs_open_of_workflow ON public.workflow_runs USING btree (workflow_definition_id, id) WHERE ((status)::text = ANY ((ARRAY['PENDING'::character varying, 'RUNNING'::character varying])::text[]));

CREATE INDEX workflow_runs_words ON public.workflow_runs USING gin (searchable_words((error_code)::text, error_message, NULL::jsonb)) WHERE (error_message IS NOT NULL);

CREATE TRIGGER count_changed_run AFTER UPDATE OF status, paused_at, workflow_definition_id, community_id, owner ON public.workflow_runs FOR EACH ROW WHEN (((current_setting('stepline.counts_runs'::text, true) IS DISTINCT FROM 'at_once'::text) AND (((old.status)::text IS DISTINCT FROM (new.status)::text) OR (((((old.workflow_definition_id)::text IS DISTINCT FROM (new.workflow_definition_id)::text) OR (old.community_id IS DISTINCT FROM new.community_id)) OR ((old.owner)::text IS DISTINCT FROM (new.owner)::text)) OR ((old.execution_status)::text IS DISTINCT FROM (new.execution_status)::text))))) EXECUTE FUNCTION count_run();

CREATE TRIGGER count_deleted_run AFTER DELETE ON public.workflow_runs FOR EACH ROW WHEN ((old.community_id IS NOT NULL)) EXECUTE FUNCTION count_run();

CREATE TRIGGER count_inserted_run AFTER INSERT ON public.workflow_runs FOR EACH ROW WHEN (((new.community_id IS NOT NULL) AND (current_setting('stepline.counts_runs'::text, true) IS DISTINCT FROM 'at_once'::text))) EXECUTE FUNCTION count_run();

create table workflow_versions (
    id uuid not null,
    workflow_id uuid,
    version integer not null,
    definition json not null,
    content_hash bytea not null,
    created_at timestamp with time zone default now() not null,
    created_by character varying(255),
    constraint workflow_versions_workflow_id_fkey FOREIGN KEY (workflow_id) REFERENCES workflows(id),
    constraint workflow_versions_pkey PRIMARY KEY (id),
    constraint workflow_versions_workflow_id_version_key UNIQUE (workflow_id, version)
);

CREATE UNIQUE INDEX workflow_versions_inline ON public.workflow_versions USING btree (content_hash) WHERE (workflow_id IS NULL);

CREATE TRIGGER workflow_versions_are_immutable BEFORE UPDATE ON public.workflow_versions FOR EACH ROW EXECUTE FUNCTION refuse_change();

create table workflows (
    id uuid not null,
    owner character varying(255) not null,
    name character varying(128) not null,
    description text,
    latest_version integer not null,
    created_at timestamp with time zone default now() not null,
    updated_at timestamp with time zone default now() not null,
    archived_at timestamp with time zone,
    paused_at timestamp with time zone,
    constraint workflows_pkey PRIMARY KEY (id),
    constraint workflows_owner_name_key UNIQUE (owner, name)
);

CREATE INDEX workflows_newest ON public.workflows USING btree (created_at DESC, id DESC) WHERE (archived_at IS NULL);

CREATE INDEX workflows_newest_of_owner ON public.workflows USING btree (owner, created_at DESC, id DESC);

CREATE INDEX workflows_paused ON public.workflows USING btree (paused_at) WHERE (paused_at IS NOT NULL);
