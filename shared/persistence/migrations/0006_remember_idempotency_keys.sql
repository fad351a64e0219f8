-- What a caller asked for under a key, and the run that came of it: asked again, the same run is answered, closed or not.
create table idempotency_keys (
    user_id varchar(255) not null,
    key varchar(255) not null,
    request_hash bytea not null,
    run_id varchar(255) not null,
    created_at timestamptz not null default now(),
    primary key (user_id, key)
);
