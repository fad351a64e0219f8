-- Until when the timekeeper has pushed a row's time on, and by how much: where the row's time is that one still, nothing has come of
-- its wake, and it fires again after twice as long.
alter table workflow_runs add column leased_until timestamptz, add column lease_ms bigint;
alter table step_executions add column leased_until timestamptz, add column lease_ms bigint;

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
