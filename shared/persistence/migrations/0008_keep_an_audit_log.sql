-- Who changed what. Append-only: what is written here is never changed or removed, whoever asks.
create table audit_log (
    id uuid primary key,
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
    source_address varchar(255)
);
create index audit_log_newest on audit_log (at desc, id desc);
create index audit_log_newest_of_user on audit_log (user_id, at desc, id desc);
create trigger audit_log_is_append_only before update or delete on audit_log
for each row execute function refuse_change();
create trigger audit_log_is_never_emptied before truncate on audit_log
for each statement execute function refuse_change();
