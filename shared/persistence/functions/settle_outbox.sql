-- What is known of publishing some rows: a bit for each message, added to what others have found out. A row of which nothing is left
-- goes. Of a row whose messages are others by now, nothing is known. Like remove_outbox it does not wait for the disk. Rows are looked up
-- one key after the other (see save_runs), in the caller's order, which is that of their ids.
create or replace function settle_outbox(settled json) returns void language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off
as $$
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
$$;
