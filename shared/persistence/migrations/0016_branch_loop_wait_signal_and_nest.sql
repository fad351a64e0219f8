-- Functions are created after the migrations, as each version has them: those whose results change must go first.
drop function if exists lock_runs(text[]);
drop function if exists load_attempts(text[], text[], text[], text[]);
drop function if exists load_run_data(text[], text[], text[], text[]);
drop function if exists save_decisions(json, json, json, json, json, uuid, json);

alter table workflow_runs
add column steps_started integer not null default 0,
add column timeout_at timestamptz,
-- It went back to an earlier step: steps may have been visited before.
add column revisits boolean not null default false,
add column parent_run_id varchar(255),
-- The parent's attempt that waits; null where it was started and left alone.
add column parent_step_execution_id varchar(255),
add column depth integer not null default 0;
-- To pause and resume what is open of a whole workflow.
create index workflow_runs_open_of_workflow on workflow_runs (workflow_definition_id, id)
where status in ('PENDING', 'RUNNING');

-- Runs of a paused workflow begin paused.
alter table workflows add column paused_at timestamptz;

alter table step_executions
-- By bytes, so that a scope and all within it are one range of an index.
alter column scope type text collate "C",
add column heartbeat_ms bigint,
-- When the agent that has accepted is to show a sign of life.
add column heartbeat_due_at timestamptz,
-- The signal that it waits for.
add column signal_name varchar(255),
-- The run that it started.
add column child_run_id varchar(255);
create index step_executions_open on step_executions (run_id, scope) where status in ('PENDING', 'RUNNING');
create index step_executions_waiting on step_executions (run_id, signal_name, created_at, id)
where signal_name is not null and status = 'RUNNING';

-- A parallel or map step under way: what its children came to, counted. `path` is `<scope>/<step id>#<visit>`.
create table scopes (
    run_id varchar(255) not null,
    path text collate "C" not null,
    step_id varchar(255) not null,
    -- The container's attempt.
    step_execution_id varchar(255) not null,
    total integer not null,
    needed integer not null,
    tolerated integer not null,
    started integer not null,
    completed integer not null,
    failed integer not null,
    output_bytes bigint not null,
    is_over boolean not null,
    failure_code varchar(255),
    failure_message text,
    primary key (run_id, path)
) with (fillfactor = 50);

-- A branch or an item of such a step: its scope is `<path>/<child>`, where `child` is a branch's name, percent-encoded, or an index.
create table scope_children (
    run_id varchar(255) not null,
    path text collate "C" not null,
    child text collate "C" not null,
    index integer not null,
    status varchar(50) not null,
    input jsonb,
    output jsonb,
    error_code varchar(255),
    error_message text,
    primary key (run_id, path, child),
    constraint scope_children_status check (status in ('PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED'))
) with (fillfactor = 80);

-- What the steps of a scope have set: variables of their own, and the error that was caught last.
create table scope_data (
    run_id varchar(255) not null,
    scope text collate "C" not null,
    variables jsonb,
    error jsonb,
    primary key (run_id, scope)
);

-- One that came, kept until a step takes it.
create table signals (
    run_id varchar(255) not null,
    id varchar(255) not null,
    name varchar(255) not null,
    payload jsonb,
    received_at timestamptz not null,
    -- The attempt that took it.
    taken_by varchar(255),
    primary key (run_id, id)
);
create index signals_untaken on signals (run_id, name, received_at, id) where taken_by is null;
