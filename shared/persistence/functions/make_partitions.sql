-- Makes what the months from now on lack, at most so many partitions, and tells how many it made; where there is nothing to make, that is
-- all that it looks at. What a default partition has of such a month, because nobody made it in time, moves. With its definer's rights:
-- the functions' users make nothing. It waits for no lock for long, since others would wait behind it: what it does not get now, it
-- gets the next time.
create or replace function make_partitions(months_ahead integer, at_most integer) returns integer
language plpgsql security definer set search_path = public, pg_temp set lock_timeout = '200ms' set timezone = 'UTC' as $$
declare
    made integer := 0;
    month timestamptz;
    parent text;
begin
    for ahead in 0 .. months_ahead loop
        month := date_trunc('month', now()) + ahead * interval '1 month';
        foreach parent in array tables_of_runs() || array['audit_log'] loop
            continue when made >= at_most or to_regclass(partition_of(parent, month)) is not null;
            begin
                if make_partition(parent, month) then made := made + 1; end if;
            exception when lock_not_available then
                null;
            end;
        end loop;
    end loop;
    return made;
end
$$;

create or replace function make_partition(parent text, month timestamptz) returns boolean
language plpgsql set timezone = 'UTC' as $$
declare
    partition constant text := partition_of(parent, month);
    other constant text := parent || '_default';
    ends constant timestamptz := month + interval '1 month';
    key constant text := case when parent = 'audit_log' then 'at' else 'run_id' end;
    low constant text := case when parent = 'audit_log' then month::text else first_run_id(month) end;
    high constant text := case when parent = 'audit_log' then ends::text else first_run_id(ends) end;
    stored text;
    columns text;
begin
    -- In the order of all who write: the table before its partitions. Who waited for it finds it made.
    execute format('lock table only %I in share update exclusive mode', parent);
    execute format('lock table %I in access exclusive mode', other);
    if to_regclass(partition) is not null then return false; end if;
    select 'with (' || array_to_string(c.reloptions, ', ') || ')' into stored from pg_class c where c.oid = other::regclass;
    columns := columns_of(parent);
    execute format(
        'create table %I (like %I including defaults including generated including constraints) %s', partition, parent, stored);
    -- Moving adds, removes and counts nothing.
    execute format('alter table %I disable trigger user', other);
    execute format(
        'with moved as (delete from %1$I where %2$I >= %3$L and %2$I < %4$L returning *)
         insert into %5$I (%6$s) select %6$s from moved', other, key, low, high, partition, columns);
    execute format('alter table %I enable trigger user', other);
    execute format('alter table %I attach partition %I for values from (%L) to (%L)', parent, partition, low, high);
    if parent = 'audit_log' then
        -- The one trigger of a table that its partitions have not by themselves.
        execute format(
            'create trigger audit_log_is_never_emptied before truncate on %I for each statement execute function refuse_change()',
            partition);
    end if;
    return true;
end
$$;

create or replace function tables_of_runs() returns text[] language sql immutable return
    array['workflow_runs', 'step_executions', 'scopes', 'scope_children', 'scope_data', 'scope_history', 'signals'];

create or replace function partition_of(parent text, month timestamptz) returns text language sql stable return
    parent || to_char(month at time zone 'UTC', '_YYYY_MM');

-- The months of which there is a table, oldest first, and whether it is a partition still.
create or replace function months_of(parent text, out month timestamptz, out is_attached boolean) returns setof record
language sql stable as $$
    select to_date(right(c.relname, 7), 'YYYY_MM')::timestamp at time zone 'UTC', c.relispartition from pg_class c
     where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and c.relname ~ ('^' || parent || '_\d{4}_\d\d$')
     order by 1
$$;

-- The least id of a run of ours from that moment on.
create or replace function first_run_id(moment timestamptz) returns text language sql stable return
    overlay('run-' || lpad(to_hex((extract(epoch from moment) * 1000)::bigint), 12, '0') placing '-' from 13 for 0);

-- Those that can be written.
create or replace function columns_of(of_table text) returns text language sql stable return (
    select string_agg(quote_ident(a.attname), ', ' order by a.attnum) from pg_attribute a
     where a.attrelid = of_table::regclass and a.attnum > 0 and not a.attisdropped and a.attgenerated = '');

-- Whoever migrates makes them too.
select make_partitions(1, 1000);
