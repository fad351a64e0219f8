import type { RunData, RunNeeds } from '../application/ports/run-store.ts';
import type { Json, JsonObject } from '../engine/json.ts';
import { childKey, childOf } from '../engine/scope-path.ts';
import {
  type AttemptStatus,
  type Child,
  type GatheredChild,
  type ScopeValues,
  type Signal,
  type StartableWorkflow,
  stepKey,
  workflowKey,
} from '../engine/state.ts';
import type { Statements } from './database.ts';
import { rangeOf } from './run-range.ts';

/** A row of functions/load_run_data.sql: which columns are set, its kind tells. */
interface DataRow {
  kind:
    | 'input'
    | 'variables'
    | 'error'
    | 'earlier'
    | 'output'
    | 'visits'
    | 'child'
    | 'next'
    | 'gathered'
    | 'signal'
    | 'workflow';
  run_id: string;
  path: string;
  name: string;
  number: number | null;
  status: string | null;
  data: Json;
  error_code: string | null;
  error_message: string | null;
  at: Date | null;
}

/** What decisions read of runs' data, and nothing else. One statement, or none where nothing is read. */
export async function loadRunData(
  statements: Statements,
  asked: readonly RunNeeds[],
): Promise<ReadonlyMap<string, RunData>> {
  const found = new Map(asked.map(({ runId }) => [runId, new FoundData()]));
  const query = queryOf(asked);
  if (query === null) return found;
  const { inputsOf, variablesOf, outputs, others } = query;
  const rows = await statements.many<DataRow>('select * from load_run_data($1, $2, $3, $4, $5, $6, $7)', [
    ...rangeOf(asked.map(({ runId }) => runId)),
    inputsOf,
    variablesOf,
    outputs.map(({ runId }) => runId),
    outputs.map(({ stepId }) => stepId),
    others.length === 0 ? null : JSON.stringify(others),
  ]);
  for (const row of rows) found.get(row.run_id)?.add(row);
  return found;
}

interface Other {
  readonly kind:
    | 'variables'
    | 'error'
    | 'earlier'
    | 'output'
    | 'visits'
    | 'child'
    | 'unfinished'
    | 'resuming'
    | 'gathered'
    | 'signal'
    | 'untaken'
    | 'workflow';
  readonly run_id: string;
  readonly path?: string;
  readonly name?: string;
  readonly number?: number | null;
  readonly owner?: string | null;
  readonly at?: string;
}

function queryOf(asked: readonly RunNeeds[]) {
  const inputsOf: string[] = [];
  const variablesOf: string[] = [];
  const outputs = new Map<string, { runId: string; stepId: string }>();
  const others = new Map<string, Other>();
  const ask = (other: Other) => void others.set(JSON.stringify(other), other);
  for (const { runId, owner, needs } of asked) {
    const of = { run_id: runId };
    if (needs.workflowInput) inputsOf.push(runId);
    for (const path of new Set(needs.variables)) {
      if (path === '') variablesOf.push(runId);
      else ask({ kind: 'variables', ...of, path });
    }
    for (const path of needs.errors) ask({ kind: 'error', ...of, path });
    for (const { scope, before } of needs.earlier)
      ask({ kind: 'earlier', ...of, path: scope, at: new Date(before).toISOString() });
    for (const { scope, stepId } of needs.outputs) {
      if (scope === '') outputs.set(`${runId}\n${stepId}`, { runId, stepId });
      else ask({ kind: 'output', ...of, path: scope, name: stepId });
    }
    for (const { scope, stepId } of needs.visits) ask({ kind: 'visits', ...of, path: scope, name: stepId });
    for (const scope of needs.children) {
      const { path, child } = childKey(scope);
      ask({ kind: 'child', ...of, path, name: child });
    }
    for (const scope of needs.resuming) {
      const { path, child } = childKey(scope);
      ask({ kind: 'resuming', ...of, path, name: child });
    }
    if (needs.unfinishedChildren) ask({ kind: 'unfinished', ...of });
    for (const path of needs.gathered) ask({ kind: 'gathered', ...of, path });
    for (const name of needs.signalIds) ask({ kind: 'signal', ...of, name });
    for (const [name, number] of countsOf(needs.signalNames)) ask({ kind: 'untaken', ...of, name, number });
    for (const { name, version } of needs.workflows)
      ask({ kind: 'workflow', ...of, owner, name, number: version });
  }
  if (inputsOf.length + variablesOf.length + outputs.size + others.size === 0) return null;
  return { inputsOf, variablesOf, outputs: [...outputs.values()], others: [...others.values()] };
}

function countsOf(names: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

class FoundData implements RunData {
  workflowInput: Json = null;
  readonly variables = new Map<string, Json>();
  readonly errors = new Map<string, JsonObject>();
  readonly earlier = new Map<string, ScopeValues>();
  readonly outputs = new Map<string, Json>();
  readonly visits = new Map<string, number>();
  readonly children = new Map<string, Child>();
  readonly gathered = new Map<string, GatheredChild[]>();
  readonly signals = new Map<string, Signal>();
  readonly workflows = new Map<string, StartableWorkflow | null>();

  add({ kind, path, name, number, status, data, error_code, error_message, at }: DataRow): void {
    switch (kind) {
      case 'input':
        this.workflowInput = data;
        break;
      case 'variables':
        this.variables.set(path, data);
        break;
      case 'error':
        this.errors.set(path, data as JsonObject);
        break;
      case 'earlier': {
        const { variables, error } = data as { variables: Json; error: JsonObject | null };
        this.earlier.set(path, { variables: variables ?? undefined, error: error ?? undefined });
        break;
      }
      case 'output':
        this.outputs.set(stepKey(path, name), data);
        break;
      case 'visits':
        this.visits.set(stepKey(path, name), number as number);
        break;
      case 'child': {
        const scope = `${path}/${name}`;
        const error = error_code === null ? null : { code: error_code, message: error_message ?? '' };
        const index = number as number;
        // What a child came to is read where its join's children are gathered.
        this.children.set(scope, {
          scope,
          index,
          status: status as AttemptStatus,
          nextWaiting: null,
          input: data,
          output: null,
          error,
        });
        break;
      }
      case 'next': {
        const scope = `${path}/${name}`;
        this.children.set(scope, { ...(this.children.get(scope) as Child), nextWaiting: number });
        break;
      }
      case 'gathered': {
        const child = {
          child: childOf(`${path}/${name}`),
          index: number as number,
          status: status as AttemptStatus,
          output: data,
        };
        const ofJoin = this.gathered.get(path);
        if (ofJoin === undefined) this.gathered.set(path, [child]);
        else ofJoin.push(child);
        break;
      }
      case 'signal': {
        const receivedAt = (at as Date).getTime();
        this.signals.set(path, { id: path, name, payload: data, receivedAt, takenBy: status });
        break;
      }
      case 'workflow': {
        const { version_id, asked } = data as { version_id: string; asked: number | null };
        this.workflows.set(workflowKey(name, asked), {
          workflowId: path,
          versionId: version_id,
          name,
          version: number as number,
        });
        break;
      }
    }
  }
}
