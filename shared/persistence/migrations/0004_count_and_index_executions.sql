-- A run as the executions faces show it: a pause is a status, a run counts from its start or else its creation.
alter table workflow_runs
add column execution_status varchar(50) not null generated always as (
    case when paused_at is not null and status in ('PENDING', 'RUNNING') then 'PAUSED' else status end
) stored,
add column begun_at timestamptz generated always as (coalesce(started_at, created_at)) stored,
add column execution_time interval generated always as (completed_at - coalesce(started_at, created_at)) stored;

create index workflow_runs_latest_of_owner on workflow_runs (owner, begun_at, id);
-- The list of a workflow's executions is one community's, so runs without a community cost these indexes nothing.
create index workflow_runs_executions_by_start on workflow_runs (workflow_definition_id, community_id, begun_at, id)
where community_id is not null;
create index workflow_runs_executions_by_status
on workflow_runs (workflow_definition_id, community_id, execution_status, begun_at, id) where community_id is not null;
create index workflow_runs_executions_by_time on workflow_runs (workflow_definition_id, community_id, execution_time, id)
where community_id is not null;

-- How many runs a list has, without counting them: the sum over the shards, of which a connection writes to its own, so that
-- transactions that commit at once do not wait for one row. One shard's number may be negative.
create table run_counts (
    workflow_definition_id varchar(255) not null,
    community_id bigint not null,
    owner varchar(255),
    execution_status varchar(50) not null,
    shard smallint not null,
    runs bigint not null,
    unique nulls not distinct (workflow_definition_id, community_id, owner, execution_status, shard)
) with (fillfactor = 70);

-- With its definer's rights: other producers, who write runs too, need none on the counts.
create function count_run() returns trigger language plpgsql security definer set search_path = public as $$
declare
    my_shard constant integer := pg_backend_pid() % 32;
begin
    -- A transaction may change several counts, in any order: one lock for them all, so that two cannot wait for each other.
    perform pg_advisory_xact_lock(7312010, my_shard);
    insert into run_counts as c (workflow_definition_id, community_id, owner, execution_status, shard, runs)
    select v.workflow_definition_id, v.community_id, v.owner, v.execution_status, my_shard, v.change
      from (values (old.workflow_definition_id, old.community_id, old.owner, old.execution_status, -1),
                   (new.workflow_definition_id, new.community_id, new.owner, new.execution_status, 1))
           as v (workflow_definition_id, community_id, owner, execution_status, change)
     where v.workflow_definition_id is not null and v.community_id is not null
        on conflict (workflow_definition_id, community_id, owner, execution_status, shard)
        do update set runs = c.runs + excluded.runs;
    return null;
end
$$;
create trigger count_inserted_run after insert on workflow_runs
for each row when (new.community_id is not null) execute function count_run();
create trigger count_changed_run
after update of status, paused_at, workflow_definition_id, community_id, owner on workflow_runs
for each row when (
    (old.workflow_definition_id, old.community_id, old.owner, old.execution_status)
    is distinct from (new.workflow_definition_id, new.community_id, new.owner, new.execution_status)
    and (old.community_id is not null or new.community_id is not null)
) execute function count_run();
create trigger count_deleted_run after delete on workflow_runs
for each row when (old.community_id is not null) execute function count_run();

insert into run_counts (workflow_definition_id, community_id, owner, execution_status, shard, runs)
select workflow_definition_id, community_id, owner, execution_status, 0, count(*)
  from workflow_runs where workflow_definition_id is not null and community_id is not null
 group by workflow_definition_id, community_id, owner, execution_status;
