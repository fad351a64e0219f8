-- The counters of runs, counted for many runs at once: a trigger for each row wrote one counter's row a hundred times in a batch's
-- transaction, each time past all the versions before it, and was a sixth of what a step costs.

-- What the counters tell apart, of one run.
create type counted_run as (
    run_id varchar(255), workflow_definition_id varchar(255), workflow_name varchar(255), community_id bigint, owner varchar(255),
    status varchar(50), execution_status varchar(50), since timestamptz, completed_at timestamptz
);
create function counted_run(r workflow_runs) returns counted_run language sql immutable parallel safe
return row(r.run_id, r.workflow_definition_id, r.workflow_name, r.community_id, r.owner, r.status, r.execution_status,
           -- A retried run ends again: since the retry.
           coalesce(r.retried_at, r.begun_at), r.completed_at)::counted_run;

-- Runs as they were, each at most once, none of those inserted; and as they are, none of those deleted. With its definer's
-- rights: other producers, who write runs too, need none on the counts.
create function count_runs(before counted_run[], after counted_run[]) returns void
language plpgsql security definer set search_path = public
set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
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
$$;

-- Whoever writes runs, row by row; save_decisions says that it counts its own.
create or replace function count_run() returns trigger language plpgsql security definer set search_path = public as $$
begin
    perform count_runs(
        case when tg_op = 'INSERT' then '{}' else array[counted_run(old)] end,
        case when tg_op = 'DELETE' then '{}' else array[counted_run(new)] end);
    return null;
end
$$;
drop trigger count_closed_run on workflow_runs;
drop function count_closed_run();
drop trigger count_inserted_run on workflow_runs;
create trigger count_inserted_run after insert on workflow_runs
for each row when (
    new.community_id is not null and current_setting('stepline.counts_runs', true) is distinct from 'at_once'
) execute function count_run();
drop trigger count_changed_run on workflow_runs;
create trigger count_changed_run
after update of status, paused_at, workflow_definition_id, community_id, owner on workflow_runs
for each row when (
    current_setting('stepline.counts_runs', true) is distinct from 'at_once'
    and (
        old.status is distinct from new.status
        or (old.workflow_definition_id, old.community_id, old.owner, old.execution_status)
           is distinct from (new.workflow_definition_id, new.community_id, new.owner, new.execution_status)
    )
) execute function count_run();
