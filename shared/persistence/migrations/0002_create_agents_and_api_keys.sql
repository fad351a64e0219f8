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
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique nulls not distinct (name, owner)
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
