-- What the steps of a scope set, one row for each that did, and how a retry put it back: a retry from a step has what that step was
-- entered with. A row says what it set, and null of what it left as it was; `is_whole`: null is none.
create table scope_history (
    run_id varchar(255) not null,
    scope text collate "C" not null,
    -- When the attempt was opened that set it: before those that were opened after it, whatever the clocks.
    since timestamptz not null,
    variables jsonb,
    error jsonb,
    is_whole boolean not null default false,
    primary key (run_id, scope, since)
);
-- What is known of scopes that are there: what they have now.
insert into scope_history (run_id, scope, since, variables, error)
select run_id, scope, '-infinity', variables, error from scope_data;

-- Items that began before a retry and wait for their turn to go on: no more do at once than the map lets. A chain, by index.
alter table scopes
add column waiting integer not null default 0,
add column next_waiting integer;
alter table scope_children add column next_waiting integer;
