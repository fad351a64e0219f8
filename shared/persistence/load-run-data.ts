import type { DataQuery, RunData } from '../application/ports.ts';
import type { Json } from '../engine/json.ts';
import type { Statements } from './database.ts';

interface DataRow {
  kind: 'input' | 'variables' | 'output';
  run_id: string;
  step_id: string | null;
  data: Json;
}

/** The inputs, variables and step outputs that mappings name, and nothing else. */
export async function loadRunData(
  statements: Statements,
  { inputsOf, variablesOf, outputs }: DataQuery,
): Promise<RunData> {
  const rows = await statements.many<DataRow>('select * from load_run_data($1, $2, $3, $4)', [
    inputsOf,
    variablesOf,
    outputs.map(({ runId }) => runId),
    outputs.map(({ stepId }) => stepId),
  ]);
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
