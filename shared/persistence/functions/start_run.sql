-- Inserts a run that somebody asked for, its outbox row and its audit record, and what is published by now goes: one call, and one commit. Where the run claims an idempotency key (`claimed`) that was used before, what came of it is told, and nothing is inserted.
--
-- `key_id`, `workflow` and `grant_id` are what the caller was let in by when it was last read, each with its row's version (xmin): where
-- one of them was written since, or the key's time is over, the outcome is `grounds_changed`, and nothing is inserted. Null: there is none,
-- or it was read for this request.
create or replace function start_run(
    run json, messages json, outbox_id uuid, published uuid[], claimed json, audited json,
    key_id uuid, key_version xid, workflow uuid, workflow_version xid, grant_id uuid, grant_version xid
) returns table (outcome text, request_hash bytea, id uuid, run_id varchar, created_at timestamptz) language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off
as $$
#variable_conflict use_column
begin
    if workflow is not null and not exists (
            select from workflows w where w.id = start_run.workflow and w.xmin = start_run.workflow_version)
        or key_id is not null and not exists (
            select from api_keys k where k.id = start_run.key_id and k.xmin = start_run.key_version
               and (k.expires_at is null or k.expires_at > now()))
        or grant_id is not null and not exists (
            select from workflow_grants g where g.id = start_run.grant_id and g.xmin = start_run.grant_version)
    then
        return query select 'grounds_changed', null::bytea, null::uuid, null::varchar, null::timestamptz;
        return;
    end if;
    if claimed is not null then
        loop
            -- One that another transaction is about to commit is waited for.
            insert into idempotency_keys as k (user_id, key, request_hash, run_id)
            select v.user_id, v.key, decode(v.request_hash, 'hex'), v.run_id
              from json_to_record(claimed) as v (user_id text, key text, request_hash text, run_id text)
                on conflict (user_id, key) do nothing;
            exit when found;
            -- The answer that was given; also where the run itself was removed since.
            return query
            select 'repeated', k.request_hash, coalesce(r.id, substr(k.run_id, length('run-') + 1)::uuid), k.run_id,
                   coalesce(r.created_at, k.created_at)
              from json_to_record(claimed) as v (user_id text, key text)
              join idempotency_keys k on k.user_id = v.user_id and k.key = v.key
              left join workflow_runs r on r.run_id = k.run_id;
            -- A key that came to the end of its time meanwhile is free again.
            if found then return; end if;
        end loop;
    end if;
    perform insert_runs(json_build_array(run));
    if audited is not null then perform insert_audit_records(json_build_array(audited)); end if;
    if cardinality(published) > 0 then delete from outbox o where o.id = any(start_run.published); end if;
    insert into outbox (id, messages) values (outbox_id, start_run.messages);
    return query select 'started', null::bytea, null::uuid, null::varchar, null::timestamptz;
end
$$;

-- Inserts runs that are PENDING; those that a step starts are their parent's owner's, starter's and community's.
-- Paused where their workflow is, but not for certain: it may be paused or resumed in this very moment. Their beginning is.
-- @throws SL001 where a parent is gone
create or replace function insert_runs(runs json) returns void language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off
as $$
declare
    inserted integer;
begin
    insert into workflow_runs (
        id, run_id, workflow_id, workflow_name, workflow_definition_id, workflow_version_id, version, status, owner, triggered_by,
        community_id, input_data, variables, metadata, depth, parent_run_id, parent_step_execution_id, created_at, updated_at,
        wake_at, paused_at, held_by
    )
    select v.id, v.run_id, v.workflow_id, v.workflow_name, v.workflow_definition_id, v.workflow_version_id, v.version, 'PENDING',
           coalesce(p.owner, v.owner), coalesce(p.triggered_by, v.triggered_by), coalesce(p.community_id, v.community_id),
           v.input_data, v.variables, v.metadata, coalesce(v.depth, 0), v.parent_run_id, v.parent_step_execution_id, v.created_at, v.created_at,
           v.wake_at, case when w.paused_at is not null then v.created_at end, case when w.paused_at is not null then 'workflow' end
      from json_to_recordset(runs) as v (
        id uuid, run_id text, workflow_id text, workflow_name text, workflow_definition_id text, workflow_version_id uuid,
        version integer, owner text, triggered_by text, community_id bigint, input_data jsonb, variables jsonb, metadata jsonb,
        depth integer, parent_run_id text, parent_step_execution_id text, created_at timestamptz, wake_at timestamptz
      )
      left join workflow_runs p on p.run_id = any(array[v.parent_run_id])
      left join workflows w on w.id = any(array[v.workflow_definition_id::uuid])
     where v.parent_run_id is null or p.run_id is not null;
    get diagnostics inserted = row_count;
    if inserted < json_array_length(runs) then
        perform refuse_stale('run', (
            select v.parent_run_id from json_to_recordset(runs) as v (parent_run_id text)
              left join workflow_runs p on p.run_id = v.parent_run_id
             where v.parent_run_id is not null and p.run_id is null limit 1));
    end if;
end
$$;

create or replace function insert_audit_records(records json) returns void language sql as $$
    insert into audit_log (id, user_id, api_key_id, community_id, action, result, resource, request_id, source_address)
    select v.id, v.user_id, v.api_key_id, v.community_id, v.action, v.result, v.resource, v.request_id, v.source_address
      from json_to_recordset(records) as v (
        id uuid, user_id text, api_key_id uuid, community_id bigint, action text, result text, resource text, request_id text,
        source_address text
      );
$$;
