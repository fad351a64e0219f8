-- Deletes what was published. The commit does not wait for the disk: a delete that is lost only costs a duplicate.
create or replace function remove_outbox(ids uuid[]) returns void language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off
as $$
begin
    perform set_config('synchronous_commit', 'off', true);
    delete from outbox where id = any(ids);
end
$$;
