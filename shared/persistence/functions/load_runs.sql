-- A batch's runs and, in the same moment, the attempts that its events are about (load_attempts): a row for each run, with
-- null for an attempt, and then a row for each attempt. Nothing is locked: what is decided from it is saved only if the runs'
-- sequences are what they are here (save_runs). Of runs that are about to begin, or to go on after their end, and of `woken`, whether
-- their workflow is paused; null of all others. A run that is PENDING comes with its input, which nearly every first step reads; any
-- other too where that stands in the row itself, and costs no reading of its own.
create or replace function load_runs(
    lowest text, highest text, run_ids text[], woken text[], ids text[], with_input text[], others json
) returns table ({{either types}}, is_workflow_paused boolean, input_data jsonb) language plpgsql stable
set plan_cache_mode = force_generic_plan set enable_seqscan = off set enable_bitmapscan = off
as $$
#variable_conflict use_column
begin
    return query
    select {{either of r as run.loaded}},
           case when r.status <> 'RUNNING' or r.run_id = any(woken)
                then exists (select from workflows w where w.paused_at is not null and w.id =
                         case when pg_input_is_valid(r.workflow_definition_id, 'uuid') then r.workflow_definition_id::uuid end) end,
           case when r.status = 'PENDING' or pg_column_size(coalesce(r.input_data, r.variables)) < 2000
                then coalesce(r.input_data, r.variables) end
      from workflow_runs r where r.run_id = any(run_ids) and r.run_id ~>=~ lowest and r.run_id ~<=~ highest;
    if others is not null then
        return query
        select {{either of s as attempt.loaded}}, null::boolean, s.input_data
          from load_attempts(lowest, highest, ids, with_input, others) s;
    elsif cardinality(ids) > 0 then
        -- As load_attempts would, which costs more to call.
        return query
        select {{either of s as attempt.loaded}}, null::boolean, case when s.step_execution_id = any(with_input) then s.input_data end
          from step_executions s
         where s.step_execution_id = any(ids) and s.run_id ~>=~ lowest and s.run_id ~<=~ highest;
    end if;
end
$$;
