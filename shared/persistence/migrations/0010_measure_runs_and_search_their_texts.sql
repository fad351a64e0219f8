-- The metrics of a workflow, over its runs of a time: the index alone answers.
create index workflow_runs_metrics_by_start on workflow_runs (workflow_definition_id, begun_at)
include (version, execution_status, execution_time, owner);
-- The oldest that nobody picked up, and how many there are. A run is in here for a moment only.
create index workflow_runs_pending on workflow_runs (created_at) where status = 'PENDING';

-- A text as its words: ASCII's punctuation is space, else addresses, paths, hyphenated words and signed numbers would be found as
-- a whole only.
create function words_of(given text) returns text language sql immutable parallel safe
return regexp_replace(given, '[\x01-\x2f\x3a-\x40\x5b-\x60\x7b-\x7f]+', ' ', 'g');

-- Words of an error and of log lines, in which JSON's escapes are no letters. What is longer than the cut is sought by its
-- beginning: a tsvector of more than a megabyte would refuse the row. Its setting keeps it from being inlined, which would hide
-- from the planner what it costs: hundreds of times what a row costs to read.
create function searchable_words(error_code text, error_message text, logs jsonb) returns tsvector
language sql immutable parallel safe cost 10000 set search_path = public
return to_tsvector('simple'::regconfig, words_of(left(
    coalesce(error_code, '') || ' ' || coalesce(error_message, '') || ' '
    || coalesce(regexp_replace(left(logs::text, 50000), '\\(u[0-9a-f]{4}|.)', ' ', 'g'), ''), 50000)));
-- Attempts that went well and said nothing, which are most, are in neither index and cost them nothing.
create index step_executions_words on step_executions using gin (searchable_words(error_code, error_message, logs))
where error_message is not null or logs is not null;
create index workflow_runs_words on workflow_runs using gin (searchable_words(error_code, error_message, null))
where error_message is not null;

-- Counters for monitoring. They only grow, and are those of the database, so that every function tells the same.

-- Which workflows are told apart: those that closed a run first, while there is room; the others are one. The runs are counted
-- under what is so at their time, so that no counter goes down when a workflow gets a place.
create table labelled_workflows (
    workflow_definition_id varchar(255) primary key,
    -- As it was then: a label that changes would be another series.
    workflow_name varchar(255) not null
);
create function most_labelled_workflows() returns integer language sql immutable return 100;

-- Upper bounds of the durations' buckets, in microseconds, which tell `at most` exactly. What is longer is in one more.
-- Other bounds need the counts removed.
create function run_duration_bounds() returns bigint[] language sql immutable return
    array[50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000, 30000000, 60000000, 300000000, 1800000000,
          3600000000, 21600000000, 86400000000]::bigint[];

-- The runs that ended, by how and after what time. Sharded as run_counts are.
create table closed_run_counts (
    -- '' is all workflows that are not told apart.
    workflow_definition_id varchar(255) not null,
    status varchar(50) not null,
    -- 0 is up to the first bound.
    bucket smallint not null,
    shard smallint not null,
    runs bigint not null,
    seconds double precision not null,
    counted_at timestamptz not null,
    primary key (workflow_definition_id, status, bucket, shard)
) with (fillfactor = 70);

create function count_closed_run() returns trigger language plpgsql security definer set search_path = public as $$
declare
    my_shard constant integer := pg_backend_pid() % 32;
    -- A retried run ends again: since the retry. Another producer's times may be any.
    took constant interval := greatest(interval '0', least(interval '100 years',
        coalesce(new.completed_at - coalesce(new.retried_at, new.begun_at), interval '0')));
    label varchar(255);
begin
    -- That of count_run: with one lock for both, whichever is first, two transactions cannot wait for each other.
    perform pg_advisory_xact_lock(7312010, my_shard);
    select workflow_definition_id into label from labelled_workflows
     where workflow_definition_id = new.workflow_definition_id;
    -- One at a time gives places away, and nobody waits for one.
    if label is null and new.workflow_definition_id is not null and pg_try_advisory_xact_lock(7312011, 0) then
        insert into labelled_workflows (workflow_definition_id, workflow_name)
        select new.workflow_definition_id, new.workflow_name
         where (select count(*) from labelled_workflows) < most_labelled_workflows()
            on conflict do nothing
        returning workflow_definition_id into label;
    end if;
    insert into closed_run_counts as c (workflow_definition_id, status, bucket, shard, runs, seconds, counted_at)
    values (coalesce(label, ''), new.status,
            width_bucket((extract(epoch from took) * 1000000)::bigint - 1, run_duration_bounds()), my_shard, 1,
            extract(epoch from took), now())
        on conflict (workflow_definition_id, status, bucket, shard)
        do update set runs = c.runs + 1, seconds = c.seconds + excluded.seconds, counted_at = excluded.counted_at;
    return null;
end
$$;
create trigger count_closed_run after update of status on workflow_runs
for each row when (
    old.status in ('PENDING', 'RUNNING') and new.status in ('COMPLETED', 'FAILED', 'CANCELLED')
    and new.completed_at is not null
) execute function count_closed_run();

-- Dead letters by where they came from. One invocation at a time has a partition, in the order of its records, so that a record
-- that comes again has been counted when its offset is not beyond the last.
create table dead_letter_counts (
    topic varchar(255) not null,
    partition integer not null,
    letters bigint not null,
    last_offset bigint not null,
    primary key (topic, partition)
) with (fillfactor = 70);

-- When the timekeeper last looked.
create table timekeeper_tick (
    only_row boolean primary key default true check (only_row),
    ticked_at timestamptz
) with (fillfactor = 50);
insert into timekeeper_tick default values;
