-- Every table, in the order in which a reader meets them: what is run, who runs it, a run and what it has done, what is to be
-- published, and what is counted, limited and remembered beside it.

-- ---------------------------------------------------------------------------------------------------------------------------
-- Workflows
-- ---------------------------------------------------------------------------------------------------------------------------

-- A workflow belongs to its owner, who may hold one of each name. Deleting archives it: runs stay.
create table workflows (
    id uuid primary key,
    owner varchar(255) not null,
    name varchar(128) not null,
    description text,
    latest_version integer not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    archived_at timestamptz,
    -- Runs of a paused workflow begin paused.
    paused_at timestamptz,
    unique (owner, name)
);
create index workflows_newest on workflows (created_at desc, id desc) where archived_at is null;
create index workflows_newest_of_owner on workflows (owner, created_at desc, id desc);
create index workflows_paused on workflows (paused_at) where paused_at is not null;

-- One immutable definition. Without a workflow: a plan that came inline with another producer's execution request.
create table workflow_versions (
    id uuid primary key,
    workflow_id uuid references workflows (id),
    version integer not null,
    definition json not null,
    content_hash bytea not null,
    created_at timestamptz not null default now(),
    created_by varchar(255),
    unique (workflow_id, version)
);
create unique index workflow_versions_inline on workflow_versions (content_hash) where workflow_id is null;

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% rows are never changed', tg_table_name using errcode = 'integrity_constraint_violation';
end
$$;
create trigger workflow_versions_are_immutable before update on workflow_versions
for each row execute function refuse_change();

-- Who else than its owner may see and run a workflow: a user, or a community's members.
create table workflow_grants (
    id uuid primary key,
    workflow_id uuid not null references workflows (id),
    user_id varchar(255),
    community_id bigint,
    can_view boolean not null,
    can_execute boolean not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    granted_by varchar(255) not null,
    check (num_nonnulls(user_id, community_id) = 1),
    -- What may not be seen cannot be run: its existence is a secret.
    check (can_view or not can_execute),
    unique nulls not distinct (workflow_id, user_id, community_id)
);
create index workflow_grants_of_user on workflow_grants (user_id, workflow_id) where user_id is not null;
create index workflow_grants_of_community on workflow_grants (community_id, workflow_id) where community_id is not null;

-- ---------------------------------------------------------------------------------------------------------------------------
-- Agents and callers
-- ---------------------------------------------------------------------------------------------------------------------------

-- Without an owner: registered by an admin, and everybody's.
create table agents (
    id uuid primary key,
    owner varchar(255),
    name varchar(128) not null,
    kind varchar(16) not null check (kind in ('http', 'lambda', 'kafka')),
    -- http: URL; lambda: function name or ARN; kafka: topic.
    address varchar(2048) not null,
    timeout_seconds integer check (timeout_seconds > 0),
    -- Encrypted; null for kafka agents, which sign nothing.
    secret_encrypted bytea,
    -- While a secret is being replaced calls are signed with both, so that no receiver refuses one. Encrypted as the other is.
    previous_secret_encrypted bytea,
    previous_secret_until timestamptz,
    -- What a dry run takes for the agent's answer; null: none is known. Its size is kept beside it, so that many can be weighed
    -- unread.
    example_output jsonb,
    example_output_bytes integer generated always as (octet_length(example_output::text)) stored,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique nulls not distinct (name, owner)
);
-- The names that a misspelt one may be meant for: those of everybody's agents and of one owner's. The key begins with the name.
create index agents_of_owner on agents (owner, name);

-- How long agents take to answer, whatever environment called them: those that are not known to be quick are not called where others
-- wait. An agent of the registry has no owner. The address is hashed: it may hold what is nobody's to read.
create table agent_speeds (
    name varchar(255) not null,
    owner varchar(255) not null,
    address_hash bytea not null,
    average_ms integer not null,
    measured_at timestamptz not null default now(),
    primary key (name, owner)
);

create table api_keys (
    id uuid primary key,
    key_hash bytea unique not null,
    prefix varchar(32) not null,
    name varchar(255) not null,
    user_id varchar(255) not null,
    roles text[] not null default '{}',
    communities bigint[] not null default '{}',
    tier varchar(32) not null default 'standard',
    scopes text[] not null default '{}',
    created_at timestamptz not null default now(),
    expires_at timestamptz,
    last_used_at timestamptz,
    revoked_at timestamptz
);
create index api_keys_of_user on api_keys (user_id, created_at desc);

-- What a caller asked for under a key, and the run that came of it: asked again, the same run is answered, closed or not.
create table idempotency_keys (
    user_id varchar(255) not null,
    key varchar(255) not null,
    request_hash bytea not null,
    run_id varchar(255) not null,
    created_at timestamptz not null default now(),
    primary key (user_id, key)
);
create index idempotency_keys_oldest on idempotency_keys (created_at);

-- Token buckets: what a caller may still ask for at once, as of `refilled_at`. Rows change with every request and carry nothing
-- that another row needs: room in each page keeps the updates off the index.
create table rate_limits (
    bucket text primary key,
    tokens double precision not null,
    refilled_at timestamptz not null,
    -- Whether the last request got its token.
    admitted boolean not null
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);

-- ---------------------------------------------------------------------------------------------------------------------------
-- Runs and their attempts
--
-- All that is a run's has its `run_id`, and is kept by the month in it: `run-<UUIDv7>` begins with the time, and sorts by it, byte by
-- byte. What is past its time is dropped, a month of every table at once, and nothing is left behind for a vacuum. So a unique key
-- holds the run, and a look-up that tells it reads one month; one that cannot looks into each. Ids of other producers, and those of a
-- month that nobody made in time or that is gone, are in the default partitions. Months are made ahead, and dropped, by functions
-- (../functions/make_partitions.sql, ../functions/remove_old_runs.sql).
--
-- The key is ordered by `text_pattern_ops`, which is byte by byte as well: by its operators a statement can tell between which ids its
-- runs are, so that it looks into no other month, without one of its indexes being read for what is between.
-- ---------------------------------------------------------------------------------------------------------------------------

-- A run. The first columns are the shared state that other producers and readers know; ours beside them default or allow null, so
-- that another producer's rows fit.
create table workflow_runs (
    -- The uuid in `run_id`, where the run is ours.
    id uuid not null default gen_random_uuid(),
    run_id varchar(255) collate "C" primary key,
    workflow_id varchar(255) not null,
    workflow_name varchar(255) not null,
    workflow_definition_id varchar(255),
    status varchar(50) not null,
    input_data jsonb,
    error_message text,
    triggered_by varchar(255),
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    completed_at timestamptz,
    cancelled_at timestamptz,
    cancelled_by varchar(255),

    -- Whose run it is of what, and what it was given. Null owner: the admin's alone.
    owner varchar(255),
    workflow_version_id uuid,
    version integer,
    community_id bigint,
    variables jsonb,
    metadata jsonb,
    output_data jsonb,
    parent_run_id varchar(255),
    -- The parent's attempt that waits; null where it was started and left alone.
    parent_step_execution_id varchar(255),
    depth integer not null default 0,

    -- Raised by every decision: what was decided is saved if it is what it was.
    sequence bigint not null default 0,
    steps_started integer not null default 0,
    -- It went back to an earlier step: steps may have been visited before.
    revisits boolean not null default false,
    started_at timestamptz,
    timeout_at timestamptz,
    retried_at timestamptz,
    paused_at timestamptz,
    -- What holds a paused run: its own pause (`run`), its workflow's (`workflow`) or both.
    held_by varchar(20),
    cancel_reason text,
    error_code varchar(255),
    error_step_id varchar(255),
    error_attempt integer,

    -- When the timekeeper must look at it. A PENDING run that nobody picked up too.
    wake_at timestamptz default now() + interval '1 minute',
    -- Until when the timekeeper has pushed `wake_at` on, and by how much: where that is its time still, nothing has come of its
    -- wake, and it fires again after twice as long.
    leased_until timestamptz,
    lease_ms bigint,

    -- As the executions faces show it: a pause is a status, a run counts from its start or else its creation.
    execution_status varchar(50) not null generated always as (
        case when paused_at is not null and status in ('PENDING', 'RUNNING') then 'PAUSED' else status end
    ) stored,
    begun_at timestamptz generated always as (coalesce(started_at, created_at)) stored,
    execution_time interval generated always as (completed_at - coalesce(started_at, created_at)) stored,

    constraint workflow_runs_status check (status in ('PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED'))
) partition by range (run_id text_pattern_ops);
create table workflow_runs_default partition of workflow_runs default with (fillfactor = 80);

-- By its own id is sought only what another producer named otherwise.
create index workflow_runs_named_otherwise on workflow_runs (id) where run_id <> 'run-' || id::text;
-- What is past its time: a month that is over is read from end to end, and is no more then.
create index workflow_runs_default_closed
on workflow_runs_default (coalesce(completed_at, cancelled_at, updated_at, created_at))
where status in ('COMPLETED', 'FAILED', 'CANCELLED');

create index workflow_runs_due on workflow_runs (wake_at)
where wake_at is not null and status in ('PENDING', 'RUNNING');
-- The oldest run that nobody picked up: those that a pause holds are nobody's to pick up, and may be many for long.
create index workflow_runs_not_picked_up on workflow_runs (created_at) where status = 'PENDING' and paused_at is null;
-- To pause and resume what is open of a whole workflow.
create index workflow_runs_open_of_workflow on workflow_runs (workflow_definition_id, id)
where status in ('PENDING', 'RUNNING');
-- Runs that their workflow's pause holds, few or many beside all others: to let go of those whose workflow is paused no more.
create index workflow_runs_held_by_workflow on workflow_runs (workflow_definition_id, id)
where status in ('PENDING', 'RUNNING') and held_by in ('workflow', 'both');

-- The lists of the API, newest first: an admin's go over every owner's rows, which the indexes by owner do not order.
create index workflow_runs_newest on workflow_runs (created_at desc, id desc);
-- What is open, and what failed or was cancelled, is sought among many times as many that completed.
create index workflow_runs_newest_open on workflow_runs (created_at desc, id desc)
where status in ('PENDING', 'RUNNING');
create index workflow_runs_newest_unsuccessful on workflow_runs (created_at desc, id desc)
where status in ('FAILED', 'CANCELLED');
create index workflow_runs_newest_of_owner on workflow_runs (owner, created_at desc, id desc);
create index workflow_runs_newest_of_workflow on workflow_runs (workflow_definition_id, created_at desc, id desc);
create index workflow_runs_latest_of_owner on workflow_runs (owner, begun_at, id);
-- The list of a workflow's executions is one community's, so runs without a community cost these indexes nothing.
create index workflow_runs_executions_by_start on workflow_runs (workflow_definition_id, community_id, begun_at, id)
where community_id is not null;
create index workflow_runs_executions_by_status
on workflow_runs (workflow_definition_id, community_id, execution_status, begun_at, id) where community_id is not null;
create index workflow_runs_executions_by_time on workflow_runs (workflow_definition_id, community_id, execution_time, id)
where community_id is not null;
-- The metrics of a workflow, over its runs of a time: the index alone answers.
create index workflow_runs_metrics_by_start on workflow_runs (workflow_definition_id, begun_at)
include (version, execution_status, execution_time, owner);

-- One attempt of one step. `step_execution_id` is the fencing token: the text of `id`. The first columns are shared state, as a
-- run's are.
create table step_executions (
    id uuid not null default gen_random_uuid(),
    step_execution_id varchar(255) not null,
    run_id varchar(255) collate "C" not null,
    step_id varchar(255) not null,
    step_name varchar(255) not null,
    agent_name varchar(255) not null,
    status varchar(50) not null,
    input_data jsonb,
    output_data jsonb,
    error_message text,
    started_at timestamptz default now(),
    completed_at timestamptz,

    step_type varchar(255) not null default 'agent',
    -- By bytes, so that a scope and all within it are one range of an index.
    scope text collate "C" not null default '',
    visit integer not null default 1,
    attempt integer not null default 1,
    -- Counts from the last explicit retry, as the retry policy does; `attempt` counts all.
    policy_attempt integer not null default 1,
    -- How many attempts each policy of a step's list granted, in the list's order. Null: the step has no list.
    policy_retries integer[],
    error_code varchar(255),
    logs jsonb,
    created_at timestamptz not null default now(),

    -- A year is more milliseconds than an integer holds.
    timeout_ms bigint,
    -- When a PENDING attempt's time comes.
    due_at timestamptz,
    -- When a RUNNING attempt has had its time.
    deadline_at timestamptz,
    -- When the agent answered 202: it will call back, until the deadline.
    accepted_at timestamptz,
    heartbeat_ms bigint,
    -- When the agent that has accepted is to show a sign of life.
    heartbeat_due_at timestamptz,
    -- When a task that nobody carried out was published once more.
    republished_at timestamptz,
    -- The signal that it waits for.
    signal_name varchar(255),
    -- The run that it started.
    child_run_id varchar(255),

    -- As a run's.
    wake_at timestamptz,
    leased_until timestamptz,
    lease_ms bigint,

    constraint step_executions_status check (status in ('PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED')),
    -- Some who ask for an attempt know its id alone.
    primary key (step_execution_id, run_id),
    unique (run_id, scope, step_id, visit, attempt)
) partition by range (run_id text_pattern_ops);
create table step_executions_default partition of step_executions default;

create index step_executions_due on step_executions (wake_at)
where wake_at is not null and status in ('PENDING', 'RUNNING');
create index step_executions_open on step_executions (run_id, scope) where status in ('PENDING', 'RUNNING');
create index step_executions_waiting on step_executions (run_id, signal_name, created_at, id)
where signal_name is not null and status = 'RUNNING';

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

-- ---------------------------------------------------------------------------------------------------------------------------
-- What else a run has, where it is not a plain sequence of steps
-- ---------------------------------------------------------------------------------------------------------------------------

-- A parallel or map step under way: what its children came to, counted. `path` is `<scope>/<step id>#<visit>`.
create table scopes (
    run_id varchar(255) collate "C" not null,
    path text collate "C" not null,
    step_id varchar(255) not null,
    -- The container's attempt.
    step_execution_id varchar(255) not null,
    total integer not null,
    needed integer not null,
    tolerated integer not null,
    started integer not null,
    -- Items that began before a retry and wait for their turn to go on: no more do at once than the map lets. A chain, by index.
    waiting integer not null default 0,
    next_waiting integer,
    completed integer not null,
    failed integer not null,
    output_bytes bigint not null,
    is_over boolean not null,
    failure_code varchar(255),
    failure_message text,
    primary key (run_id, path)
) partition by range (run_id text_pattern_ops);
create table scopes_default partition of scopes default with (fillfactor = 50);

-- A branch or an item of such a step: its scope is `<path>/<child>`, where `child` is a branch's name, percent-encoded, or an index.
create table scope_children (
    run_id varchar(255) collate "C" not null,
    path text collate "C" not null,
    child text collate "C" not null,
    index integer not null,
    status varchar(50) not null,
    -- In the chain of those that wait.
    next_waiting integer,
    input jsonb,
    output jsonb,
    error_code varchar(255),
    error_message text,
    primary key (run_id, path, child),
    constraint scope_children_status check (status in ('PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED'))
) partition by range (run_id text_pattern_ops);
create table scope_children_default partition of scope_children default with (fillfactor = 80);

-- What the steps of a scope have set: variables of their own, and the error that was caught last.
create table scope_data (
    run_id varchar(255) collate "C" not null,
    scope text collate "C" not null,
    variables jsonb,
    error jsonb,
    primary key (run_id, scope)
) partition by range (run_id text_pattern_ops);
create table scope_data_default partition of scope_data default;

-- What the steps of a scope set, one row for each that did, and how a retry put it back: a retry from a step has what that step was
-- entered with. A row says what it set, and null of what it left as it was; `is_whole`: null is none.
create table scope_history (
    run_id varchar(255) collate "C" not null,
    scope text collate "C" not null,
    -- When the attempt was opened that set it: before those that were opened after it, whatever the clocks.
    since timestamptz not null,
    variables jsonb,
    error jsonb,
    is_whole boolean not null default false,
    primary key (run_id, scope, since)
) partition by range (run_id text_pattern_ops);
create table scope_history_default partition of scope_history default;

-- One that came, kept until a step takes it.
create table signals (
    run_id varchar(255) collate "C" not null,
    id varchar(255) not null,
    name varchar(255) not null,
    payload jsonb,
    received_at timestamptz not null,
    -- The attempt that took it.
    taken_by varchar(255),
    primary key (run_id, id)
) partition by range (run_id text_pattern_ops);
create table signals_default partition of signals default;
create index signals_untaken on signals (run_id, name, received_at, id) where taken_by is null;

-- ---------------------------------------------------------------------------------------------------------------------------
-- What is to be published, and who looks after it
-- ---------------------------------------------------------------------------------------------------------------------------

-- What one transaction has to publish, until it is published. Ids are UUIDv7, so their order is that of time.
create table outbox (
    id uuid primary key,
    messages json not null,
    -- A row is as old as its writing, not as its transaction, which may have waited for its runs for seconds: the timekeeper would
    -- take it for left behind in the moment of its commit.
    created_at timestamptz not null default clock_timestamp(),
    -- When Kafka refuses a message, as of a topic that does not exist, it is tried again from then on; the others do not wait for it.
    retry_at timestamptz,
    -- A bit for each message of the row, 1 where Kafka has it: what one topic refused, or one broker did not answer for, comes again
    -- without what the others have. Null: nothing is known.
    published bit varying,
    -- Since when something of it is refused, and that lasts, as of a topic that does not exist.
    refused_since timestamptz
);

-- When the timekeeper last looked.
create table timekeeper_tick (
    only_row boolean primary key default true check (only_row),
    ticked_at timestamptz
) with (fillfactor = 50);
insert into timekeeper_tick default values;

-- ---------------------------------------------------------------------------------------------------------------------------
-- Counters of runs. They are those of the database, so that every function tells the same.
-- ---------------------------------------------------------------------------------------------------------------------------

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

-- Which workflows monitoring tells apart: those that closed a run first, while there is room; the others are one. The runs are
-- counted under what is so at their time, so that no counter goes down when a workflow gets a place.
create table labelled_workflows (
    workflow_definition_id varchar(255) primary key,
    -- As it was then: a label that changes would be another series.
    workflow_name varchar(255) not null
);
create function most_labelled_workflows() returns integer language sql immutable return 100;

-- The runs that ended, by how and after what time. They only grow. Sharded as run_counts are.
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

-- Upper bounds of the durations' buckets, in microseconds, which tell `at most` exactly. What is longer is in one more.
-- Other bounds need the counts removed.
create function run_duration_bounds() returns bigint[] language sql immutable return
    array[50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000, 30000000, 60000000, 300000000, 1800000000,
          3600000000, 21600000000, 86400000000]::bigint[];

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
language plpgsql security definer set search_path = public, pg_temp
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

-- Whoever writes runs, row by row. Many runs are counted at once: a trigger for each row would write one counter's row a hundred
-- times in a batch's transaction, each time past all the versions before it. save_runs says that it counts its own.
create function count_run() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    perform count_runs(
        case when tg_op = 'INSERT' then '{}' else array[counted_run(old)] end,
        case when tg_op = 'DELETE' then '{}' else array[counted_run(new)] end);
    return null;
end
$$;
create trigger count_inserted_run after insert on workflow_runs
for each row when (
    new.community_id is not null and current_setting('stepline.counts_runs', true) is distinct from 'at_once'
) execute function count_run();
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
create trigger count_deleted_run after delete on workflow_runs
for each row when (
    old.community_id is not null and current_setting('stepline.counts_runs', true) is distinct from 'at_once'
) execute function count_run();

-- Dead letters by where they came from. One invocation at a time has a partition, in the order of its records, so that a record
-- that comes again has been counted when its offset is not beyond the last.
create table dead_letter_counts (
    topic varchar(255) not null,
    partition integer not null,
    letters bigint not null,
    last_offset bigint not null,
    primary key (topic, partition)
) with (fillfactor = 70);

-- ---------------------------------------------------------------------------------------------------------------------------
-- The audit log
-- ---------------------------------------------------------------------------------------------------------------------------

-- Who changed what. It stays append-only: nobody changes a record, and records are removed only by `purge_audit_log`
-- (../functions), a month at a time, only when they are older than what is kept, and never within 30 days, whatever it is told and
-- whoever asks. Each removal is a record itself.
create table audit_log (
    id uuid not null,
    at timestamptz not null default now(),
    -- Null where an attempt's token, not a user, authenticated the call.
    user_id varchar(255),
    -- The id of the API key; null for tokens.
    api_key_id uuid,
    community_id bigint,
    action varchar(64) not null,
    result varchar(32) not null,
    -- The id of what was changed.
    resource varchar(255),
    request_id varchar(255),
    source_address varchar(255),
    primary key (at, id)
) partition by range (at);
create table audit_log_default partition of audit_log default;
create index audit_log_newest_of_user on audit_log (user_id, at desc, id desc);

create function keep_audit_record() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' and current_setting('stepline.purging_audit_log', true) = 'on' and old.at < now() - interval '30 days' then
        return old;
    end if;
    raise exception 'audit_log rows are never changed' using errcode = 'integrity_constraint_violation';
end
$$;
create trigger audit_log_is_append_only before update or delete on audit_log
for each row execute function keep_audit_record();
create trigger audit_log_is_never_emptied before truncate on audit_log
for each statement execute function refuse_change();
create trigger audit_log_is_never_emptied before truncate on audit_log_default
for each statement execute function refuse_change();
