-- The inputs, variables and step outputs that mappings name. A run given variables and no input reads its variables as its
-- input, and the other way round, so that one workflow serves every face.
create or replace function load_run_data(inputs_of text[], variables_of text[], outputs_of text[], step_ids text[])
returns table (kind text, run_id varchar, step_id text, data jsonb) language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off
as $$
#variable_conflict use_column
begin
    if cardinality(inputs_of) > 0 then
        return query select 'input', r.run_id, null::text, coalesce(r.input_data, r.variables)
          from workflow_runs r where r.run_id = any(inputs_of);
    end if;
    if cardinality(variables_of) > 0 then
        return query select 'variables', r.run_id, null::text, coalesce(r.variables, r.input_data)
          from workflow_runs r where r.run_id = any(variables_of);
    end if;
    if cardinality(outputs_of) > 0 then
        return query select 'output', asked.run_id::varchar, asked.step_id, latest.output_data
          from unnest(outputs_of, step_ids) as asked (run_id, step_id)
         cross join lateral (
            select s.output_data from step_executions s
             where s.run_id = asked.run_id and s.scope = '' and s.step_id = asked.step_id and s.status = 'COMPLETED'
             order by s.visit desc, s.attempt desc limit 1
         ) as latest;
    end if;
end
$$;
