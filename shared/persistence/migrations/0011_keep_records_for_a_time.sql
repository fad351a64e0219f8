create index idempotency_keys_oldest on idempotency_keys (created_at);

-- The audit log is kept for a time and no longer, and stays append-only: nobody changes a record, and records are removed only by
-- `purge_audit_log`, only when they are older than what is kept, and never within 30 days, whatever it is told and whoever asks.
-- Each removal is a record itself. The functions' role needs no right to delete: the purge has its definer's. (Months as
-- partitions, dropped when they are over, would ask for the owner's rights at run time, who may remove this trigger as well.)
create function keep_audit_record() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' and current_setting('stepline.purging_audit_log', true) = 'on' and old.at < now() - interval '30 days' then
        return old;
    end if;
    raise exception '% rows are never changed', tg_table_name using errcode = 'integrity_constraint_violation';
end
$$;
drop trigger audit_log_is_append_only on audit_log;
create trigger audit_log_is_append_only before update or delete on audit_log
for each row execute function keep_audit_record();

-- Removes the oldest records beyond the retention, at most so many, and tells how many there were. The setting is the function's
-- own: it ends with the call.
create function purge_audit_log(keep_days integer, at_most integer) returns integer
language plpgsql security definer set search_path = public set "stepline.purging_audit_log" = 'on' as $$
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
$$;
