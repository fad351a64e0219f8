import type { Json, JsonObject } from '../../../shared/engine/json.ts';
import type {
  ExpressionModel,
  ReferenceModel,
  ScopeModel,
  SourceCondition,
  StepModel,
  WorkflowModel,
} from './workflow-model.ts';

/** The model as somebody would write it, in the sources' step format: of what that can say (source-arbitraries.ts). */
export function definitionOf({ name, scope, timeoutMs }: WorkflowModel): JsonObject {
  return { name, ...scopeOf(scope), ...seconds(timeoutMs) };
}

function scopeOf({ startStep, steps }: ScopeModel): JsonObject {
  return { start_step: startStep, steps: byKey([...steps.values()].map((step) => [step.id, stepOf(step)])) };
}

function stepOf(step: StepModel): JsonObject {
  const caught = step.catch.length === 0 ? {} : { catch: step.catch.map(clauseOf) };
  const results = {
    ...(step.output && { output_mapping: mappingOf(step.output) }),
    ...(step.assign && {
      assign: byKey(Object.entries(step.assign).map(([name, each]) => [name, mappingOf(each)])),
    }),
  };
  const next = { next_step: step.next };
  const retry = { retry: step.retry.map(policyOf) };
  const waiting = { ...seconds(step.timeoutMs), ...caught, ...results, ...next };
  switch (step.type) {
    case 'agent':
      return { agent_name: step.id, input_mapping: mappingOf(step.input), ...retry, ...waiting };
    case 'choice': {
      const choices = step.rules.map(({ next: next_step, when }) => ({
        ...conditionOf(when as SourceCondition),
        next_step,
      }));
      const otherwise = step.otherwise === null ? {} : { default_next_step: step.otherwise };
      return { type: 'choice', choices, ...otherwise, ...caught };
    }
    case 'parallel': {
      const branches = byKey(step.branches.map(({ name, scope }) => [name, scopeOf(scope)]));
      const isAll = step.needed === step.branches.length;
      return { type: 'parallel', branches, ...(!isAll && { wait_for: step.needed }), ...retry, ...waiting };
    }
    case 'map':
      return {
        type: 'map',
        items: mappingOf(step.items),
        ...scopeOf(step.scope),
        ...(step.maxConcurrency !== null && { max_concurrency: step.maxConcurrency }),
        ...(step.toleratedFailures > 0 && { tolerated_failures: step.toleratedFailures }),
        ...retry,
        ...waiting,
      };
    case 'wait':
      return { type: 'wait', seconds: step.seconds, ...caught, ...results, ...next };
    case 'signal':
      return { type: 'signal', signal: step.signal, ...waiting };
    case 'workflow':
      return {
        type: 'workflow',
        workflow_name: step.workflow,
        input_mapping: mappingOf(step.input),
        ...(!step.waits && { wait_for_completion: false }),
        ...retry,
        ...waiting,
      };
    case 'pass':
      return { type: 'pass', result: mappingOf(step.result), ...caught, ...results, ...next };
    case 'succeed':
      return { type: 'succeed', result: mappingOf(step.result), ...caught };
    case 'fail':
      return { type: 'fail', error_code: step.code };
  }
}

function clauseOf({ codes, next }: StepModel['catch'][number]): JsonObject {
  return { ...(codes && { codes }), next_step: next };
}

function policyOf({ codes, maxAttempts }: StepModel['retry'][number]): JsonObject {
  return { ...(codes && { codes }), max_attempts: maxAttempts, max_interval_ms: 8_000 };
}

function seconds(timeoutMs: number | null): JsonObject {
  return timeoutMs === null ? {} : { timeout_seconds: timeoutMs / 1_000 };
}

function mappingOf({ makes, references }: ExpressionModel): Json {
  const paths = references.map(pathOf);
  switch (makes) {
    case 'seen':
      return paths;
    case 'fields':
      return byKey(paths.map((path, i) => [`r${i}`, path]));
    case 'first':
      return paths[0] ?? null;
    default:
      throw new Error(`No source makes ${makes}`);
  }
}

function pathOf(reference: ReferenceModel): string {
  switch (reference.kind) {
    case 'input':
      return '$.workflow_input';
    case 'item':
    case 'index':
      return `$.${reference.kind}`;
    case 'error':
      return '$.error.code';
    case 'own output':
      return '$.output';
    case 'variable':
      return `$.variables.${reference.name}`;
    case 'output':
      return `$['${reference.step}'].output_data`;
  }
}

function conditionOf(condition: SourceCondition): JsonObject {
  switch (condition.kind) {
    case 'is text':
      return unless(condition.holds, { variable: pathOf(condition.of), is_string: true });
    case 'is number':
      return unless(condition.holds, { variable: pathOf(condition.of), is_numeric: true });
    case 'less than':
      return { variable: pathOf(condition.of), numeric_less_than: condition.limit };
    case 'nested': {
      // A list of one in a list of one has a first of its first, be that null.
      const path = pathOf({ kind: 'variable', name: condition.variable }) + '[0]'.repeat(condition.depth);
      return unless(condition.holds, { variable: path, is_present: true });
    }
  }
}

/** Also where nothing is there. */
function unless(holds: boolean, condition: JsonObject): JsonObject {
  return holds ? condition : { not: condition };
}

function byKey(entries: readonly (readonly [string, Json])[]): JsonObject {
  return Object.fromEntries(entries);
}
