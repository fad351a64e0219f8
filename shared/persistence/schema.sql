-- What the migrations come to. Written by `npm run schema`. The hot path's functions are in functions/, and come to what stands there.

CREATE OR REPLACE FUNCTION public.count_run()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
AS $function$
begin
    perform count_runs(
        case when tg_op = 'INSERT' then '{}' else array[counted_run(old)] end,
        case when tg_op = 'DELETE' then '{}' else array[counted_run(new)] end);
    return null;
end
$function$
;

CREATE OR REPLACE FUNCTION public.count_runs(before counted_run[], after counted_run[])
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO 'public', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
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
$function$
;

CREATE OR REPLACE FUNCTION public.counted_run(r workflow_runs)
 RETURNS counted_run
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN ROW((r).run_id, (r).workflow_definition_id, (r).workflow_name, (r).community_id, (r).owner, (r).status, (r).execution_status, COALESCE((r).retried_at, (r).begun_at), (r).completed_at)::counted_run
;

CREATE OR REPLACE FUNCTION public.keep_audit_record()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
begin
    if tg_op = 'DELETE' and current_setting('stepline.purging_audit_log', true) = 'on' and old.at < now() - interval '30 days' then
        return old;
    end if;
    raise exception 'audit_log rows are never changed' using errcode = 'integrity_constraint_violation';
end
$function$
;

CREATE OR REPLACE FUNCTION public.most_labelled_workflows()
 RETURNS integer
 LANGUAGE sql
 IMMUTABLE
RETURN 100
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

CREATE OR REPLACE FUNCTION public.run_duration_bounds()
 RETURNS bigint[]
 LANGUAGE sql
 IMMUTABLE
RETURN ARRAY[(50000)::bigint, (100000)::bigint, (250000)::bigint, (500000)::bigint, (1000000)::bigint, (2500000)::bigint, (5000000)::bigint, (10000000)::bigint, (30000000)::bigint, (60000000)::bigint, (300000000)::bigint, (1800000000)::bigint, '3600000000'::bigint, '21600000000'::bigint, '86400000000'::bigint]
;

CREATE OR REPLACE FUNCTION public.searchable_words(error_code text, error_message text, logs jsonb)
 RETURNS tsvector
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE COST 10000
 SET search_path TO 'public'
RETURN to_tsvector('simple'::regconfig, words_of("left"(((((COALESCE(error_code, ''::text) || ' '::text) || COALESCE(error_message, ''::text)) || ' '::text) || COALESCE(regexp_replace("left"((logs)::text, 50000), '\\(u[0-9a-f]{4}|.)'::text, ' '::text, 'g'::text), ''::text)), 50000)))
;

CREATE OR REPLACE FUNCTION public.words_of(given text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
RETURN regexp_replace(given, '[\x01-\x2f\x3a-\x40\x5b-\x60\x7b-\x7f]+'::text, ' '::text, 'g'::text)
;

create table agent_speeds (
    name character varying(255) not null,
    owner character varying(255) not null,
    address_hash bytea not null,
    average_ms integer not null,
    measured_at timestamp with time zone default now() not null,
    constraint agent_speeds_pkey PRIMARY KEY (name, owner)
);

create table agents (
    id uuid not null,
    owner character varying(255),
    name character varying(128) not null,
    kind character varying(16) not null,
    address character varying(2048) not null,
    timeout_seconds integer,
    secret_encrypted bytea,
    previous_secret_encrypted bytea,
    previous_secret_until timestamp with time zone,
    example_output jsonb,
    example_output_bytes integer default octet_length((example_output)::text),
    created_at timestamp with time zone default now() not null,
    updated_at timestamp with time zone default now() not null,
    constraint agents_kind_check CHECK (((kind)::text = ANY ((ARRAY['http'::character varying, 'lambda'::character varying, 'kafka'::character varying])::text[]))),
    constraint agents_timeout_seconds_check CHECK ((timeout_seconds > 0)),
    constraint agents_pkey PRIMARY KEY (id),
    constraint agents_name_owner_key UNIQUE NULLS NOT DISTINCT (name, owner)
);

CREATE INDEX agents_of_owner ON public.agents USING btree (owner, name);

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
    constraint audit_log_pkey PRIMARY KEY (at, id)
) partition by RANGE (at);

CREATE INDEX audit_log_newest_of_user ON ONLY public.audit_log USING btree (user_id, at DESC, id DESC);

CREATE TRIGGER audit_log_is_append_only BEFORE DELETE OR UPDATE ON public.audit_log FOR EACH ROW EXECUTE FUNCTION keep_audit_record();

CREATE TRIGGER audit_log_is_never_emptied BEFORE TRUNCATE ON public.audit_log FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

create table audit_log_default partition of audit_log default;

CREATE TRIGGER audit_log_is_never_emptied BEFORE TRUNCATE ON public.audit_log_default FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

create table closed_run_counts (
    workflow_definition_id character varying(255) not null,
    status character varying(50) not null,
    bucket smallint not null,
    shard smallint not null,
    runs bigint not null,
    seconds double precision not null,
    counted_at timestamp with time zone not null,
    constraint closed_run_counts_pkey PRIMARY KEY (workflow_definition_id, status, bucket, shard)
) with (fillfactor=70);

create table dead_letter_counts (
    topic character varying(255) not null,
    partition integer not null,
    letters bigint not null,
    last_offset bigint not null,
    constraint dead_letter_counts_pkey PRIMARY KEY (topic, partition)
) with (fillfactor=70);

create table idempotency_keys (
    user_id character varying(255) not null,
    key character varying(255) not null,
    request_hash bytea not null,
    run_id character varying(255) not null,
    created_at timestamp with time zone default now() not null,
    constraint idempotency_keys_pkey PRIMARY KEY (user_id, key)
);

CREATE INDEX idempotency_keys_oldest ON public.idempotency_keys USING btree (created_at);

create table labelled_workflows (
    workflow_definition_id character varying(255) not null,
    workflow_name character varying(255) not null,
    constraint labelled_workflows_pkey PRIMARY KEY (workflow_definition_id)
);

create table outbox (
    id uuid not null,
    messages json not null,
    created_at timestamp with time zone default clock_timestamp() not null,
    retry_at timestamp with time zone,
    published bit varying,
    refused_since timestamp with time zone,
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

create table scope_children (
    run_id character varying(255) not null,
    path text not null,
    child text not null,
    index integer not null,
    status character varying(50) not null,
    next_waiting integer,
    input jsonb,
    output jsonb,
    error_code character varying(255),
    error_message text,
    constraint scope_children_status CHECK (((status)::text = ANY ((ARRAY['PENDING'::character varying, 'RUNNING'::character varying, 'COMPLETED'::character varying, 'FAILED'::character varying, 'CANCELLED'::character varying])::text[]))),
    constraint scope_children_pkey PRIMARY KEY (run_id, path, child)
) partition by RANGE (run_id text_pattern_ops);

create table scope_children_default partition of scope_children default with (fillfactor=80);

create table scope_data (
    run_id character varying(255) not null,
    scope text not null,
    variables jsonb,
    error jsonb,
    constraint scope_data_pkey PRIMARY KEY (run_id, scope)
) partition by RANGE (run_id text_pattern_ops);

create table scope_data_default partition of scope_data default;

create table scope_history (
    run_id character varying(255) not null,
    scope text not null,
    since timestamp with time zone not null,
    variables jsonb,
    error jsonb,
    is_whole boolean default false not null,
    constraint scope_history_pkey PRIMARY KEY (run_id, scope, since)
) partition by RANGE (run_id text_pattern_ops);

create table scope_history_default partition of scope_history default;

create table scopes (
    run_id character varying(255) not null,
    path text not null,
    step_id character varying(255) not null,
    step_execution_id character varying(255) not null,
    total integer not null,
    needed integer not null,
    tolerated integer not null,
    started integer not null,
    waiting integer default 0 not null,
    next_waiting integer,
    completed integer not null,
    failed integer not null,
    output_bytes bigint not null,
    is_over boolean not null,
    failure_code character varying(255),
    failure_message text,
    constraint scopes_pkey PRIMARY KEY (run_id, path)
) partition by RANGE (run_id text_pattern_ops);

create table scopes_default partition of scopes default with (fillfactor=50);

create table signals (
    run_id character varying(255) not null,
    id character varying(255) not null,
    name character varying(255) not null,
    payload jsonb,
    received_at timestamp with time zone not null,
    taken_by character varying(255),
    constraint signals_pkey PRIMARY KEY (run_id, id)
) partition by RANGE (run_id text_pattern_ops);

CREATE INDEX signals_untaken ON ONLY public.signals USING btree (run_id, name, received_at, id) WHERE (taken_by IS NULL);

create table signals_default partition of signals default;

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
    scope text default ''::text not null,
    visit integer default 1 not null,
    attempt integer default 1 not null,
    policy_attempt integer default 1 not null,
    policy_retries integer[],
    error_code character varying(255),
    logs jsonb,
    created_at timestamp with time zone default now() not null,
    timeout_ms bigint,
    due_at timestamp with time zone,
    deadline_at timestamp with time zone,
    accepted_at timestamp with time zone,
    heartbeat_ms bigint,
    heartbeat_due_at timestamp with time zone,
    republished_at timestamp with time zone,
    signal_name character varying(255),
    child_run_id character varying(255),
    wake_at timestamp with time zone,
    leased_until timestamp with time zone,
    lease_ms bigint,
    constraint step_executions_status CHECK (((status)::text = ANY ((ARRAY['PENDING'::character varying, 'RUNNING'::character varying, 'COMPLETED'::character varying, 'FAILED'::character varying, 'CANCELLED'::character varying])::text[]))),
    constraint step_executions_pkey PRIMARY KEY (step_execution_id, run_id),
    constraint step_executions_run_id_scope_step_id_visit_attempt_key UNIQUE (run_id, scope, step_id, visit, attempt)
) partition by RANGE (run_id text_pattern_ops);

CREATE INDEX step_executions_due ON ONLY public.step_executions USING btree (wake_at) WHERE ((wake_at IS NOT NULL) AND ((status)::text = ANY ((ARRAY['PENDING'::character varying, 'RUNNING'::character varying])::text[])));

CREATE INDEX step_executions_open ON ONLY public.step_executions USING btree (run_id, scope) WHERE ((status)::text = ANY ((ARRAY['PENDING'::character varying, 'RUNNING'::character varying])::text[]));

CREATE INDEX step_executions_waiting ON ONLY public.step_executions USING btree (run_id, signal_name, created_at, id) WHERE ((signal_name IS NOT NULL) AND ((status)::text = 'RUNNING'::text));

CREATE INDEX step_executions_words ON ONLY public.step_executions USING gin (searchable_words((error_code)::text, error_message, logs)) WHERE ((error_message IS NOT NULL) OR (logs IS NOT NULL));

create table step_executions_default partition of step_executions default;

create table timekeeper_tick (
    only_row boolean default true not null,
    ticked_at timestamp with time zone,
    constraint timekeeper_tick_only_row_check CHECK (only_row),
    constraint timekeeper_tick_pkey PRIMARY KEY (only_row)
) with (fillfactor=50);

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
    parent_run_id character varying(255),
    parent_step_execution_id character varying(255),
    depth integer default 0 not null,
    sequence bigint default 0 not null,
    steps_started integer default 0 not null,
    revisits boolean default false not null,
    started_at timestamp with time zone,
    timeout_at timestamp with time zone,
    retried_at timestamp with time zone,
    paused_at timestamp with time zone,
    held_by character varying(20),
    cancel_reason text,
    error_code character varying(255),
    error_step_id character varying(255),
    error_attempt integer,
    wake_at timestamp with time zone default (now() + '00:01:00'::interval),
    leased_until timestamp with time zone,
    lease_ms bigint,
    execution_status character varying(50) default 
CASE
    WHEN ((paused_at IS NOT NULL) AND ((status)::text = ANY ((ARRAY['PENDING'::character varying, 'RUNNING'::character varying])::text[]))) THEN 'PAUSED'::character varying
    ELSE status
END not null,
    begun_at timestamp with time zone default COALESCE(started_at, created_at),
    execution_time interval default (completed_at - COALESCE(started_at, created_at)),
    constraint workflow_runs_status CHECK (((status)::text = ANY ((ARRAY['PENDING'::character varying, 'RUNNING'::character varying, 'COMPLETED'::character varying, 'FAILED'::character varying, 'CANCELLED'::character varying])::text[]))),
    constraint workflow_runs_pkey PRIMARY KEY (run_id)
) partition by RANGE (run_id text_pattern_ops);

CREATE INDEX workflow_runs_due ON ONLY public.workflow_runs USING btree (wake_at) WHERE ((wake_at IS NOT NULL) AND ((status)::text = ANY ((ARRAY['PENDING'::character varying, 'RUNNING'::character varying])::text[])));

CREATE INDEX workflow_runs_executions_by_start ON ONLY public.workflow_runs USING btree (workflow_definition_id, community_id, begun_at, id) WHERE (community_id IS NOT NULL);

CREATE INDEX workflow_runs_executions_by_status ON ONLY public.workflow_runs USING btree (workflow_definition_id, community_id, execution_status, begun_at, id) WHERE (community_id IS NOT NULL);

CREATE INDEX workflow_runs_executions_by_time ON ONLY public.workflow_runs USING btree (workflow_definition_id, community_id, execution_time, id) WHERE (community_id IS NOT NULL);

CREATE INDEX workflow_runs_held_by_workflow ON ONLY public.workflow_runs USING btree (workflow_definition_id, id) WHERE (((status)::text = ANY ((ARRAY['PENDING'::character varying, 'RUNNING'::character varying])::text[])) AND ((held_by)::text = ANY ((ARRAY['workflow'::character varying, 'both'::character varying])::text[])));

CREATE INDEX workflow_runs_latest_of_owner ON ONLY public.workflow_runs USING btree (owner, begun_at, id);

CREATE INDEX workflow_runs_metrics_by_start ON ONLY public.workflow_runs USING btree (workflow_definition_id, begun_at) INCLUDE (version, execution_status, execution_time, owner);

CREATE INDEX workflow_runs_named_otherwise ON ONLY public.workflow_runs USING btree (id) WHERE ((run_id)::text <> ('run-'::text || (id)::text));

CREATE INDEX workflow_runs_newest ON ONLY public.workflow_runs USING btree (created_at DESC, id DESC);

CREATE INDEX workflow_runs_newest_of_owner ON ONLY public.workflow_runs USING btree (owner, created_at DESC, id DESC);

CREATE INDEX workflow_runs_newest_of_workflow ON ONLY public.workflow_runs USING btree (workflow_definition_id, created_at DESC, id DESC);

CREATE INDEX workflow_runs_newest_open ON ONLY public.workflow_runs USING btree (created_at DESC, id DESC) WHERE ((status)::text = ANY ((ARRAY['PENDING'::character varying, 'RUNNING'::character varying])::text[]));

CREATE INDEX workflow_runs_newest_unsuccessful ON ONLY public.workflow_runs USING btree (created_at DESC, id DESC) WHERE ((status)::text = ANY ((ARRAY['FAILED'::character varying, 'CANCELLED'::character varying])::text[]));

CREATE INDEX workflow_runs_not_picked_up ON ONLY public.workflow_runs USING btree (created_at) WHERE (((status)::text = 'PENDING'::text) AND (paused_at IS NULL));

CREATE INDEX workflow_runs_open_of_workflow ON ONLY public.workflow_runs USING btree (workflow_definition_id, id) WHERE ((status)::text = ANY ((ARRAY['PENDING'::character varying, 'RUNNING'::character varying])::text[]));

CREATE INDEX workflow_runs_words ON ONLY public.workflow_runs USING gin (searchable_words((error_code)::text, error_message, NULL::jsonb)) WHERE (error_message IS NOT NULL);

CREATE TRIGGER count_changed_run AFTER UPDATE OF status, paused_at, workflow_definition_id, community_id, owner ON public.workflow_runs FOR EACH ROW WHEN (((current_setting('stepline.counts_runs'::text, true) IS DISTINCT FROM 'at_once'::text) AND (((old.status)::text IS DISTINCT FROM (new.status)::text) OR (((((old.workflow_definition_id)::text IS DISTINCT FROM (new.workflow_definition_id)::text) OR (old.community_id IS DISTINCT FROM new.community_id)) OR ((old.owner)::text IS DISTINCT FROM (new.owner)::text)) OR ((old.execution_status)::text IS DISTINCT FROM (new.execution_status)::text))))) EXECUTE FUNCTION count_run();

CREATE TRIGGER count_deleted_run AFTER DELETE ON public.workflow_runs FOR EACH ROW WHEN (((old.community_id IS NOT NULL) AND (current_setting('stepline.counts_runs'::text, true) IS DISTINCT FROM 'at_once'::text))) EXECUTE FUNCTION count_run();

CREATE TRIGGER count_inserted_run AFTER INSERT ON public.workflow_runs FOR EACH ROW WHEN (((new.community_id IS NOT NULL) AND (current_setting('stepline.counts_runs'::text, true) IS DISTINCT FROM 'at_once'::text))) EXECUTE FUNCTION count_run();

create table workflow_runs_default partition of workflow_runs default with (fillfactor=80);

CREATE INDEX workflow_runs_default_closed ON public.workflow_runs_default USING btree (COALESCE(completed_at, cancelled_at, updated_at, created_at)) WHERE ((status)::text = ANY ((ARRAY['COMPLETED'::character varying, 'FAILED'::character varying, 'CANCELLED'::character varying])::text[]));

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
    paused_at timestamp with time zone,
    constraint workflows_pkey PRIMARY KEY (id),
    constraint workflows_owner_name_key UNIQUE (owner, name)
);

CREATE INDEX workflows_newest ON public.workflows USING btree (created_at DESC, id DESC) WHERE (archived_at IS NULL);

CREATE INDEX workflows_newest_of_owner ON public.workflows USING btree (owner, created_at DESC, id DESC);

CREATE INDEX workflows_paused ON public.workflows USING btree (paused_at) WHERE (paused_at IS NOT NULL);
