-- Removes records beyond the retention, and tells how many there were: the oldest month, where all of it is past, or, of records that are in
-- no month, the oldest, at most so many. The setting, which the table's trigger looks at, is the function's own: it ends with the call. With
-- its definer's rights: the functions' users remove none.
create or replace function purge_audit_log(keep_days integer, at_most integer) returns integer
language plpgsql security definer set search_path = public, pg_temp set "stepline.purging_audit_log" = 'on' set lock_timeout = '200ms'
set timezone = 'UTC' as $$
declare
    kept_since constant timestamptz := now() - keep_days * interval '1 day';
    month timestamptz;
    removed integer := 0;
    newest timestamptz;
begin
    if keep_days < 30 then
        raise exception 'audit records are kept for at least 30 days, not %', keep_days using errcode = 'invalid_parameter_value';
    end if;
    select min(m.month) into month from months_of('audit_log') m;
    if month + interval '1 month' <= kept_since then
        -- Nobody changes what is counted, and nobody adds to it: a record has the time of its writing.
        execute format('select count(*), max(at) from %I', partition_of('audit_log', month)) into removed, newest;
        begin
            execute format('drop table %I', partition_of('audit_log', month));
        exception when lock_not_available then
            return 0;
        end;
    else
        with past as materialized (
            select at, id from audit_log_default where at < kept_since order by at, id limit at_most for update skip locked
        ), gone as (
            delete from audit_log_default l using past where l.at = past.at and l.id = past.id returning l.at
        )
        select count(*), max(at) into removed, newest from gone;
    end if;
    if removed > 0 then
        insert into audit_log (id, action, result, resource, request_id)
        values (gen_random_uuid(), 'purge_audit_log', 'SUCCESS',
                format('%s records up to %s, kept for %s days', removed, to_char(newest, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), keep_days),
                'timekeeper');
    end if;
    return removed;
end
$$;
