-- What the migrations come to. Written by `npm run schema`.

CREATE OR REPLACE FUNCTION public.count_run()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public'
AS $function$
declare
    my_shard constant integer := pg_backend_pid() % 32;
begin
    -- A transaction may change several counts, in any order: one lock for them all, so that two cannot wait for each other.
    perform pg_advisory_xact_lock(7312010, my_shard);
    insert into run_counts as c (workflow_definition_id, community_id, owner, execution_status, shard, runs)
    select v.workflow_definition_id, v.community_id, v.owner, v.execution_status, my_shard, v.change
      from (values (old.workflow_definition_id, old.community_id, old.owner, old.execution_status, -1),
                   (new.workflow_definition_id, new.community_id, new.owner, new.execution_status, 1))
           as v (workflow_definition_id, community_id, owner, execution_status, change)
     where v.workflow_definition_id is not null and v.community_id is not null
        on conflict (workflow_definition_id, community_id, owner, execution_status, shard)
        do update set runs = c.runs + excluded.runs;
    return null;
end
$function$
;

CREATE OR REPLACE FUNCTION public.refuse_change()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
    raise exception '% rows are never changed', tg_table_name using errcode = 'integrity_constraint_violation';
end
$function$
;

create table agents (
    id uuid not null,
    owner character varying(255),
    name character varying(128) not null,
    kind character varying(16) not null,
    address character varying(2048) not null,
    timeout_seconds integer,
    secret_encrypted bytea,
    created_at timestamp with time zone default now() not null,
    updated_at timestamp with time zone default now() not null,
    constraint agents_kind_check CHECK (((kind)::text = ANY ((ARRAY['http'::character varying, 'lambda'::character varying, 'kafka'::character varying])::text[]))),
    constraint agents_timeout_seconds_check CHECK ((timeout_seconds > 0)),
    constraint agents_pkey PRIMARY KEY (id),
    constraint agents_name_owner_key UNIQUE NULLS NOT DISTINCT (name, owner)
);

create table api_keys (
    id uuid not null,
    key_hash bytea not null,
    prefix character varying(32) not null,
    name character varying(255) not null,
    user_id character varying(255) not null,
    roles text[] default '{}'::text[] not null,
    communities bigint[] default '{}'::bigint[] not null,
    tier character varying(32) default 'standard'::character varying not null,
    scopes text[] default '{}'::text[] not null,
    created_at timestamp with time zone default now() not null,
    expires_at timestamp with time zone,
    last_used_at timestamp with time zone,
    revoked_at timestamp with time zone,
    constraint api_keys_pkey PRIMARY KEY (id),
    constraint api_keys_key_hash_key UNIQUE (key_hash)
);

CREATE INDEX api_keys_of_user ON public.api_keys USING btree (user_id, created_at DESC);

create table audit_log (
    id uuid not null,
    at timestamp with time zone default now() not null,
    user_id character varying(255),
    api_key_id uuid,
    community_id bigint,
    action character varying(64) not null,
    result character varying(32) not null,
    resource character varying(255),
    request_id character varying(255),
    source_address character varying(255),
    constraint audit_log_pkey PRIMARY KEY (id)
);

CREATE INDEX audit_log_newest ON public.audit_log USING btree (at DESC, id DESC);

CREATE INDEX audit_log_newest_of_user ON public.audit_log USING btree (user_id, at DESC, id DESC);

CREATE TRIGGER audit_log_is_append_only BEFORE DELETE OR UPDATE ON public.audit_log FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TRIGGER audit_log_is_never_emptied BEFORE TRUNCATE ON public.audit_log FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

create table idempotency_keys (
    user_id character varying(255) not null,
    key character varying(255) not null,
    request_hash bytea not null,
    run_id character varying(255) not null,
    created_at timestamp with time zone default now() not null,
    constraint idempotency_keys_pkey PRIMARY KEY (user_id, key)
);

create table outbox (
    id uuid not null,
    messages json not null,
    created_at timestamp with time zone default now() not null,
    retry_at timestamp with time zone,
    constraint outbox_pkey PRIMARY KEY (id)
);

create table rate_limits (
    bucket text not null,
    tokens double precision not null,
    refilled_at timestamp with time zone not null,
    admitted boolean not null,
    constraint rate_limits_pkey PRIMARY KEY (bucket)
) with (fillfactor=50, autovacuum_vacuum_scale_factor=0.05);

create table run_counts (
    workflow_definition_id character varying(255) not null,
    community_id bigint not null,
    owner character varying(255),
    execution_status character varying(50) not null,
    shard smallint not null,
    runs bigint not null,
    constraint run_counts_workflow_definition_id_community_id_owner_execut_key UNIQUE NULLS NOT DISTINCT (workflow_definition_id, community_id, owner, execution_status, shard)
) with (fillfactor=70);

create table schema_migrations (
    name text not null,
    applied_at timestamp with time zone default now() not null,
    constraint schema_migrations_pkey PRIMARY KEY (name)
);

create table step_executions (
    id uuid default gen_random_uuid() not null,
    step_execution_id character varying(255) not null,
    run_id character varying(255) not null,
    step_id character varying(255) not null,
    step_name character varying(255) not null,
    agent_name character varying(255) not null,
    status character varying(50) not null,
    input_data jsonb,
    output_data jsonb,
    error_message text,
    started_at timestamp with time zone default now(),
    completed_at timestamp with time zone,
    step_type character varying(255) default 'agent'::character varying not null,
    scope character varying(255) default ''::character varying not null,
    visit integer default 1 not null,
    attempt integer default 1 not null,
    policy_attempt integer default 1 not null,
    error_code character varying(255),
    logs jsonb,
    created_at timestamp with time zone default now() not null,
    timeout_ms bigint,
    due_at timestamp with time zone,
    deadline_at timestamp with time zone,
    accepted_at timestamp with time zone,
    republished_at timestamp with time zone,
    wake_at timestamp with time zone,
    constraint step_executions_status CHECK (((status)::text = ANY ((ARRAY['PENDING'::character varying, 'RUNNING'::character varying, 'COMPLETED'::character varying, 'FAILED'::character varying, 'CANCELLED'::character varying])::text[]))),
    constraint step_executions_pkey PRIMARY KEY (id),
    constraint step_executions_run_id_scope_step_id_visit_attempt_key UNIQUE (run_id, scope, step_id, visit, attempt),
    constraint step_executions_step_execution_id_key UNIQUE (step_execution_id)
);

CREATE INDEX step_executions_due ON public.step_executions USING btree (wake_at) WHERE ((wake_at IS NOT NULL) AND ((status)::text = ANY ((ARRAY['PENDING'::character varying, 'RUNNING'::character varying])::text[])));

create table workflow_grants (
    id uuid not null,
    workflow_id uuid not null,
    user_id character varying(255),
    community_id bigint,
    can_view boolean not null,
    can_execute boolean not null,
    created_at timestamp with time zone default now() not null,
    updated_at timestamp with time zone default now() not null,
    granted_by character varying(255) not null,
    constraint workflow_grants_check CHECK ((num_nonnulls(user_id, community_id) = 1)),
    constraint workflow_grants_check1 CHECK ((can_view OR (NOT can_execute))),
    constraint workflow_grants_workflow_id_fkey FOREIGN KEY (workflow_id) REFERENCES workflows(id),
    constraint workflow_grants_pkey PRIMARY KEY (id),
    constraint workflow_grants_workflow_id_user_id_community_id_key UNIQUE NULLS NOT DISTINCT (workflow_id, user_id, community_id)
);

CREATE INDEX workflow_grants_of_community ON public.workflow_grants USING btree (community_id, workflow_id) WHERE (community_id IS NOT NULL);

CREATE INDEX workflow_grants_of_user ON public.workflow_grants USING btree (user_id, workflow_id) WHERE (user_id IS NOT NULL);

create table workflow_runs (
    id uuid default gen_random_uuid() not null,
    run_id character varying(255) not null,
    workflow_id character varying(255) not null,
    workflow_name character varying(255) not null,
    workflow_definition_id character varying(255),
    status character varying(50) not null,
    input_data jsonb,
    error_message text,
    triggered_by character varying(255),
    created_at timestamp with time zone default now(),
    updated_at timestamp with time zone default now(),
    completed_at timestamp with time zone,
    cancelled_at timestamp with time zone,
    cancelled_by character varying(255),
    owner character varying(255),
    workflow_version_id uuid,
    version integer,
    community_id bigint,
    variables jsonb,
    metadata jsonb,
    output_data jsonb,
    sequence bigint default 0 not null,
    started_at timestamp with time zone,
    paused_at timestamp with time zone,
    cancel_reason text,
    retried_at timestamp with time zone,
    error_code character varying(255),
    error_step_id character varying(255),
    error_attempt integer,
    wake_at timestamp with time zone default (now() + '00:01:00'::interval),
    execution_status character varying(50) default 
CASE
    WHEN ((paused_at IS NOT NULL) AND ((status)::text = ANY ((ARRAY['PENDING'::character varying, 'RUNNING'::character varying])::text[]))) THEN 'PAUSED'::character varying
    ELSE status
END not null,
    begun_at timestamp with time zone default COALESCE(started_at, created_at),
    execution_time interval default (completed_at - COALESCE(started_at, created_at)),
    constraint workflow_runs_status CHECK (((status)::text = ANY ((ARRAY['PENDING'::character varying, 'RUNNING'::character varying, 'COMPLETED'::character varying, 'FAILED'::character varying, 'CANCELLED'::character varying])::text[]))),
    constraint workflow_runs_workflow_version_id_fkey FOREIGN KEY (workflow_version_id) REFERENCES workflow_versions(id),
    constraint workflow_runs_pkey PRIMARY KEY (id),
    constraint workflow_runs_run_id_key UNIQUE (run_id)
) with (fillfactor=80);

CREATE INDEX workflow_runs_due ON public.workflow_runs USING btree (wake_at) WHERE ((wake_at IS NOT NULL) AND ((status)::text = ANY ((ARRAY['PENDING'::character varying, 'RUNNING'::character varying])::text[])));

CREATE INDEX workflow_runs_executions_by_start ON public.workflow_runs USING btree (workflow_definition_id, community_id, begun_at, id) WHERE (community_id IS NOT NULL);

CREATE INDEX workflow_runs_executions_by_status ON public.workflow_runs USING btree (workflow_definition_id, community_id, execution_status, begun_at, id) WHERE (community_id IS NOT NULL);

CREATE INDEX workflow_runs_executions_by_time ON public.workflow_runs USING btree (workflow_definition_id, community_id, execution_time, id) WHERE (community_id IS NOT NULL);

CREATE INDEX workflow_runs_latest_of_owner ON public.workflow_runs USING btree (owner, begun_at, id);

CREATE INDEX workflow_runs_newest ON public.workflow_runs USING btree (created_at DESC, id DESC);

CREATE INDEX workflow_runs_newest_of_owner ON public.workflow_runs USING btree (owner, created_at DESC, id DESC);

CREATE INDEX workflow_runs_newest_of_workflow ON public.workflow_runs USING btree (workflow_definition_id, created_at DESC, id DESC);

CREATE INDEX workflow_runs_newest_open ON public.workflow_runs USING btree (created_at DESC, id DESC) WHERE ((status)::text = ANY ((ARRAY['PENDING'::character varying, 'RUNNING'::character varying])::text[]));

CREATE INDEX workflow_runs_newest_unsuccessful ON public.workflow_runs USING btree (created_at DESC, id DESC) WHERE ((status)::text = ANY ((ARRAY['FAILED'::character varying, 'CANCELLED'::character varying])::text[]));

CREATE INDEX workflow_runs_oldest_pending ON public.workflow_runs USING btree (created_at) WHERE ((status)::text = 'PENDING'::text);

CREATE TRIGGER count_changed_run AFTER UPDATE OF status, paused_at, workflow_definition_id, community_id, owner ON public.workflow_runs FOR EACH ROW WHEN (((((((old.workflow_definition_id)::text IS DISTINCT FROM (new.workflow_definition_id)::text) OR (old.community_id IS DISTINCT FROM new.community_id)) OR ((old.owner)::text IS DISTINCT FROM (new.owner)::text)) OR ((old.execution_status)::text IS DISTINCT FROM (new.execution_status)::text)) AND ((old.community_id IS NOT NULL) OR (new.community_id IS NOT NULL)))) EXECUTE FUNCTION count_run();

CREATE TRIGGER count_deleted_run AFTER DELETE ON public.workflow_runs FOR EACH ROW WHEN ((old.community_id IS NOT NULL)) EXECUTE FUNCTION count_run();

CREATE TRIGGER count_inserted_run AFTER INSERT ON public.workflow_runs FOR EACH ROW WHEN ((new.community_id IS NOT NULL)) EXECUTE FUNCTION count_run();

create table workflow_versions (
    id uuid not null,
    workflow_id uuid,
    version integer not null,
    definition json not null,
    content_hash bytea not null,
    created_at timestamp with time zone default now() not null,
    created_by character varying(255),
    constraint workflow_versions_workflow_id_fkey FOREIGN KEY (workflow_id) REFERENCES workflows(id),
    constraint workflow_versions_pkey PRIMARY KEY (id),
    constraint workflow_versions_workflow_id_version_key UNIQUE (workflow_id, version)
);

CREATE UNIQUE INDEX workflow_versions_inline ON public.workflow_versions USING btree (content_hash) WHERE (workflow_id IS NULL);

CREATE TRIGGER workflow_versions_are_immutable BEFORE UPDATE ON public.workflow_versions FOR EACH ROW EXECUTE FUNCTION refuse_change();

create table workflows (
    id uuid not null,
    owner character varying(255) not null,
    name character varying(128) not null,
    description text,
    latest_version integer not null,
    created_at timestamp with time zone default now() not null,
    updated_at timestamp with time zone default now() not null,
    archived_at timestamp with time zone,
    constraint workflows_pkey PRIMARY KEY (id),
    constraint workflows_owner_name_key UNIQUE (owner, name)
);

CREATE INDEX workflows_newest ON public.workflows USING btree (created_at DESC, id DESC) WHERE (archived_at IS NULL);

CREATE INDEX workflows_newest_of_owner ON public.workflows USING btree (owner, created_at DESC, id DESC);
