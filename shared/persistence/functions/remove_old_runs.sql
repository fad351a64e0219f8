-- Removes what closed more than so many days ago, and tells how many runs or, as `at_most`, that it should be asked again. A month that
-- is over, all of whose runs are past, goes as a whole: one call takes its partitions out, of all tables of runs at once, and the next
-- one drops them. Where a month keeps a run for more than a week longer, and in the default partition, which has no month, runs go row by
-- row, at most so many. With its definer's rights: the functions' users drop nothing.
create or replace function remove_old_runs(keep_days integer, at_most integer) returns integer
language plpgsql security definer set search_path = public, pg_temp set lock_timeout = '200ms' set timezone = 'UTC'
set stepline.counts_runs = 'at_once' as $$
declare
    kept_since constant timestamptz := now() - keep_days * interval '1 day';
    months timestamptz[];
    month timestamptz;
    ends timestamptz;
    removed integer;
begin
    if keep_days < 1 then
        raise exception 'runs are kept for at least a day, not %', keep_days using errcode = 'invalid_parameter_value';
    end if;
    -- One timekeeper at a time.
    if not pg_try_advisory_xact_lock(7312012, 0) then return 0; end if;
    months := array(select m.month from months_of('workflow_runs') m where not m.is_attached);
    foreach month in array months loop
        perform drop_month(month, kept_since);
        return at_most;
    end loop;
    months := array(select m.month from months_of('workflow_runs') m where m.is_attached);
    foreach month in array months loop
        ends := month + interval '1 month';
        exit when ends > kept_since;
        if is_all_past(partition_of('workflow_runs', month), kept_since) then
            if detach_month(month) then return at_most; end if;
        elsif ends <= kept_since - interval '7 days' then
            removed := remove_rows(partition_of('workflow_runs', month), kept_since, at_most);
            if removed > 0 then return removed; end if;
        end if;
    end loop;
    return remove_rows('workflow_runs_default', kept_since, at_most);
end
$$;

-- What has a run in it that is not past, has it most often among those that began last.
create or replace function is_all_past(partition text, kept_since timestamptz) returns boolean language plpgsql as $$
declare
    is_held boolean;
begin
    execute format('select exists (select from %I where status in (''PENDING'', ''RUNNING''))', partition) into is_held;
    if is_held then return false; end if;
    execute format(
        'select exists (
            select from (select * from %I order by created_at desc, id desc limit 1000) as r where (%s) is not true)',
        partition, past_condition()) into is_held using kept_since;
    if is_held then return false; end if;
    execute format('select exists (select from %I as r where (%s) is not true)', partition, past_condition())
       into is_held using kept_since;
    return not is_held;
end
$$;

-- Of a run: as the index of the default partition has it.
create or replace function past_condition() returns text language sql immutable return
    'status in (''COMPLETED'', ''FAILED'', ''CANCELLED'') and coalesce(completed_at, cancelled_at, updated_at, created_at) < $1';

-- False: somebody has it, or a run of it went on meanwhile.
create or replace function detach_month(month timestamptz) returns boolean language plpgsql as $$
declare
    parent text;
    is_open boolean;
begin
    foreach parent in array tables_of_runs() loop
        execute format('lock table only %I in access exclusive mode', parent);
        execute format('lock table %I in access exclusive mode', partition_of(parent, month));
    end loop;
    execute format(
        'select exists (select from %I where status in (''PENDING'', ''RUNNING''))', partition_of('workflow_runs', month)) into is_open;
    if is_open then return false; end if;
    foreach parent in array tables_of_runs() loop
        execute format('alter table %I detach partition %I', parent, partition_of(parent, month));
    end loop;
    return true;
exception when lock_not_available then
    return false;
end
$$;

-- A run that went on and ended again between the look and the lock is not past: it comes back, into the default partition, unless
-- another producer has written it anew.
create or replace function drop_month(month timestamptz, kept_since timestamptz) returns void language plpgsql as $$
declare
    runs constant text := partition_of('workflow_runs', month);
    my_shard constant integer := pg_backend_pid() % 32;
    parent text;
    kept text[];
begin
    execute format('select array(select run_id from %I as r where (%s) is not true)', runs, past_condition())
       into kept using kept_since;
    if cardinality(kept) > 0 then
        foreach parent in array tables_of_runs() loop
            execute format(
                'insert into %I (%2$s) select %2$s from %3$I where run_id = any($1) on conflict do nothing',
                parent, columns_of(parent), partition_of(parent, month)) using kept;
        end loop;
    end if;
    -- As count_runs has it.
    perform pg_advisory_xact_lock(7312010, my_shard);
    execute format(
        'insert into run_counts as c (workflow_definition_id, community_id, owner, execution_status, shard, runs)
         select workflow_definition_id, community_id, owner, execution_status, $1, -count(*) from %I
          where workflow_definition_id is not null and community_id is not null and run_id <> all($2)
          group by workflow_definition_id, community_id, owner, execution_status
             on conflict (workflow_definition_id, community_id, owner, execution_status, shard)
             do update set runs = c.runs + excluded.runs', runs) using my_shard, kept;
    foreach parent in array tables_of_runs() loop
        execute format('drop table %I', partition_of(parent, month));
    end loop;
end
$$;

create or replace function remove_rows(partition text, kept_since timestamptz, at_most integer) returns integer language plpgsql as $$
declare
    ids text[];
    parent text;
begin
    execute format(
        'select array(select run_id from %I as r where %s limit $2 for update skip locked)', partition, past_condition())
       into ids using kept_since, at_most;
    if cardinality(ids) = 0 then return 0; end if;
    perform count_runs(array(select counted_run(r) from workflow_runs r where r.run_id = any(ids)), '{}');
    foreach parent in array tables_of_runs() loop
        execute format('delete from %I where run_id = any($1)', parent) using ids;
    end loop;
    return cardinality(ids);
end
$$;
