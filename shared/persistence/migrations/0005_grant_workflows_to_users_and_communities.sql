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
