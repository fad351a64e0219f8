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
    unique (owner, name)
);
create index workflows_newest_of_owner on workflows (owner, created_at desc, id desc);

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

-- The first fifteen columns are the shared state that other producers and readers know; ours beside them default or allow null.
create table workflow_runs (
    id uuid primary key default gen_random_uuid(),
    run_id varchar(255) unique not null,
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
    owner varchar(255),
    workflow_version_id uuid references workflow_versions (id),
    version integer,
    community_id bigint,
    variables jsonb,
    metadata jsonb,
    output_data jsonb,
    sequence bigint not null default 0,
    started_at timestamptz,
    paused_at timestamptz,
    cancel_reason text,
    retried_at timestamptz,
    error_code varchar(255),
    error_step_id varchar(255),
    error_attempt integer,
    wake_at timestamptz default now() + interval '1 minute',
    constraint workflow_runs_status check (status in ('PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED'))
) with (fillfactor = 80);
create index workflow_runs_due on workflow_runs (wake_at)
where wake_at is not null and status in ('PENDING', 'RUNNING');
create index workflow_runs_newest_of_owner on workflow_runs (owner, created_at desc, id desc);
create index workflow_runs_newest_of_workflow on workflow_runs (workflow_definition_id, created_at desc, id desc);

-- One attempt of one step. `step_execution_id` is the fencing token: the text of `id`.
create table step_executions (
    id uuid primary key default gen_random_uuid(),
    step_execution_id varchar(255) unique not null,
    run_id varchar(255) not null,
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
    scope varchar(255) not null default '',
    visit integer not null default 1,
    attempt integer not null default 1,
    -- Counts from the last explicit retry, as the retry policy does; `attempt` counts all.
    policy_attempt integer not null default 1,
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
    -- When a task that nobody carried out was published once more.
    republished_at timestamptz,
    wake_at timestamptz,
    constraint step_executions_status check (status in ('PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED')),
    unique (run_id, scope, step_id, visit, attempt)
);
create index step_executions_due on step_executions (wake_at)
where wake_at is not null and status in ('PENDING', 'RUNNING');

-- What one transaction has to publish, until it is published. Ids are UUIDv7, so their order is that of time.
create table outbox (
    id uuid primary key,
    messages json not null,
    created_at timestamptz not null default now(),
    -- When Kafka refuses a message, as of a topic that does not exist, it is tried again from then on; the others do not wait for it.
    retry_at timestamptz
);
