-- Whether a workflow is paused; it stays so until the caller's transaction ends. A transaction that holds a run by that is over
-- before the workflow is resumed, and so is one that does not, before it is paused: who pauses or resumes it finds every run.
create or replace function workflow_is_paused(workflow_definition_id text) returns boolean language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off
as $$
begin
    -- Another producer may have written anything.
    if not coalesce(pg_input_is_valid(workflow_definition_id, 'uuid'), false) then return false; end if;
    perform lock_workflow_pause(workflow_definition_id::uuid, false);
    -- A statement of its own, and so what was committed until now.
    return exists (select from workflows w where w.id = workflow_definition_id::uuid and w.paused_at is not null);
end
$$;

-- Until the transaction ends: `alone` to change it, otherwise to rely on it.
create or replace function lock_workflow_pause(workflow_id uuid, alone boolean) returns void language plpgsql as $$
declare
    -- The first number tells these locks from others.
    key constant integer := hashtext(workflow_id::text);
begin
    if alone then perform pg_advisory_xact_lock(1, key); else perform pg_advisory_xact_lock_shared(1, key); end if;
end
$$;
