import type { DataQuery, RunData } from '../application/ports.ts';
import type { Json } from '../engine/json.ts';
import type { Statements } from './database.ts';

interface DataRow {
  kind: 'input' | 'variables' | 'output';
  run_id: string;
  step_id: string | null;
  data: Json;
}

/**
 * The inputs, variables and step outputs that mappings name, and nothing else. A run given variables and no input reads its
 * variables as its input, and the other way round, so that one workflow serves every face (design §5).
 */
export async function loadRunData(
  statements: Statements,
  { inputsOf, variablesOf, outputs }: DataQuery,
): Promise<RunData> {
  const rows = await statements.many<DataRow>(
    `select 'input' as kind, run_id, null as step_id, coalesce(input_data, variables) as data
       from workflow_runs where run_id = any($1::text[])
     union all
     select 'variables', run_id, null, coalesce(variables, input_data) from workflow_runs where run_id = any($2::text[])
     union all
     select 'output', asked.run_id, asked.step_id, latest.output_data
       from unnest($3::text[], $4::text[]) as asked (run_id, step_id)
      cross join lateral (
        select s.output_data from step_executions s
         where s.run_id = asked.run_id and s.scope = '' and s.step_id = asked.step_id and s.status = 'COMPLETED'
         order by s.visit desc, s.attempt desc limit 1
      ) as latest`,
    [inputsOf, variablesOf, outputs.map(({ runId }) => runId), outputs.map(({ stepId }) => stepId)],
  );
  const data = {
    workflowInputs: new Map<string, Json>(),
    variables: new Map<string, Json>(),
    outputs: new Map<string, Map<string, Json>>(),
  };
  for (const { kind, run_id, step_id, data: value } of rows) {
    if (kind === 'input') data.workflowInputs.set(run_id, value);
    else if (kind === 'variables') data.variables.set(run_id, value);
    else {
      const ofRun = data.outputs.get(run_id) ?? new Map<string, Json>();
      data.outputs.set(run_id, ofRun.set(step_id as string, value));
    }
  }
  return data;
}
