import type { Json } from '../../../shared/engine/json.ts';
import { isJsonObject } from '../../../shared/engine/json.ts';
import type { Expression, Plan, PlanSettings, PlanStep, Reads, Scope } from '../../../shared/engine/plan.ts';
import {
  type ConditionModel,
  type ExpressionModel,
  evaluateModel,
  holdsModel,
  MAX_PAYLOAD_BYTES,
  type ReferenceModel,
  type ScopeModel,
  type StepModel,
  type View,
  type WorkflowModel,
} from './workflow-model.ts';

export const SETTINGS: PlanSettings = {
  defaultTimeoutMs: 60_000,
  longStopMs: 3_600_000,
  pickUpMs: 30_000,
  maxPayloadBytes: MAX_PAYLOAD_BYTES,
  maxStepsPerRun: 25_000,
  maxRunDepth: 10,
  maxMapItems: 10_000,
};

/** The plan that a front end would compile. */
export function planOf({ scope, timeoutMs }: WorkflowModel, settings: PlanSettings = SETTINGS): Plan {
  const steps = new Map<string, PlanStep>();
  addScope(steps, scope, null, 0);
  return { startStep: scope.startStep, steps, timeoutMs, settings };
}

function addScope(
  steps: Map<string, PlanStep>,
  scope: ScopeModel,
  within: string | null,
  depth: number,
): void {
  const cyclic = stepsInCycles(scope);
  for (const step of scope.steps.values()) {
    steps.set(step.id, planStepOf(step, { within, depth, inCycle: cyclic.has(step.id) }));
    if (step.type === 'map') addScope(steps, step.scope, step.id, depth + 1);
    if (step.type === 'parallel')
      for (const branch of step.branches) addScope(steps, branch.scope, step.id, depth + 1);
  }
}

function planStepOf(
  step: StepModel,
  place: { within: string | null; depth: number; inCycle: boolean },
): PlanStep {
  const { id, next, output, assign, timeoutMs } = step;
  const assigned = assign === null ? null : objectOf(assign);
  const shape = output === null ? null : expressionOf(output);
  const base = {
    ...place,
    id,
    name: id,
    label: step.type,
    next,
    reads: NOTHING,
    settleReads: mergeReads([shape, assigned].flatMap((each) => (each === null ? [] : [each.reads]))),
    output: shape,
    assign: assigned,
    retry: step.retry.map(({ codes, maxAttempts }) => ({
      codes,
      maxAttempts,
      initialIntervalMs: 1_000,
      backoffRate: 2,
      maxIntervalMs: 8_000,
      jitter: 'full' as const,
    })),
    catch: step.catch,
    timeoutMs,
  };
  switch (step.type) {
    case 'agent': {
      const { heartbeatMs } = step;
      const input = expressionOf(step.input);
      return { ...base, type: 'agent', agentName: 'agent', input, reads: input.reads, heartbeatMs };
    }
    case 'choice': {
      const { otherwise } = step;
      const rules = step.rules.map(({ next, when }) => ({
        next,
        holds: (scope: Scope) => holdsModel(when, viewOf(scope)),
      }));
      const reads = mergeReads(step.rules.map(({ when }) => readsOf(referencesIn(when))));
      return { ...base, type: 'choice', rules, otherwise, reads };
    }
    case 'parallel': {
      const branches = step.branches.map(({ name, scope }) => ({ name, startStep: scope.startStep }));
      return { ...base, type: 'parallel', branches, needed: step.needed };
    }
    case 'map': {
      const items = expressionOf(step.items);
      const { maxConcurrency, toleratedFailures } = step;
      const { startStep } = step.scope;
      const map = { items, startStep, maxConcurrency, toleratedFailures, toleratedFailurePercentage: 0 };
      return { ...base, ...map, type: 'map', reads: items.reads };
    }
    case 'wait': {
      const value = { reads: NOTHING, evaluate: () => step.seconds };
      return { ...base, type: 'wait', value, of: 'seconds', maxMs: 366 * 86_400_000 };
    }
    case 'signal':
      return { ...base, type: 'signal', signal: step.signal };
    case 'workflow': {
      const input = expressionOf(step.input);
      const workflow = { name: step.workflow, version: null };
      return { ...base, type: 'workflow', workflow, input, reads: input.reads, waits: step.waits };
    }
    case 'pass':
    case 'succeed': {
      const result = expressionOf(step.result);
      return { ...base, type: step.type, result, reads: result.reads };
    }
    case 'fail':
      return { ...base, type: 'fail', failure: { reads: NOTHING, evaluate: () => ({ code: step.code }) } };
  }
}

const NOTHING: Reads = { workflowInput: false, variables: false, item: false, error: false, steps: [] };

function expressionOf(model: ExpressionModel): Expression {
  return {
    reads: readsOf(model.references),
    evaluate: (scope) => evaluateModel(model, viewOf(scope)),
  };
}

function objectOf(models: Readonly<Record<string, ExpressionModel>>): Expression {
  const entries = Object.entries(models);
  return {
    reads: mergeReads(entries.map(([, { references }]) => readsOf(references))),
    evaluate: (scope) =>
      Object.fromEntries(entries.map(([name, model]) => [name, evaluateModel(model, viewOf(scope))])),
  };
}

function referencesIn(condition: ConditionModel): readonly ReferenceModel[] {
  switch (condition.kind) {
    case 'hash':
      return condition.of.references;
    case 'below':
    case 'nested':
      return [{ kind: 'variable', name: condition.variable }];
    default:
      return [condition.of];
  }
}

function readsOf(references: readonly ReferenceModel[]): Reads {
  const kinds = new Set(references.map(({ kind }) => kind));
  return {
    workflowInput: kinds.has('input'),
    variables: kinds.has('variable'),
    item: kinds.has('item') || kinds.has('index'),
    error: kinds.has('error'),
    steps: [...new Set(references.flatMap((each) => (each.kind === 'output' ? [each.step] : [])))],
  };
}

function mergeReads(all: readonly Reads[]): Reads {
  return {
    workflowInput: all.some(({ workflowInput }) => workflowInput),
    variables: all.some(({ variables }) => variables),
    item: all.some(({ item }) => item),
    error: all.some(({ error }) => error),
    steps: [...new Set(all.flatMap(({ steps }) => steps))],
  };
}

function viewOf(scope: Scope): View {
  return {
    see(reference): Json {
      switch (reference.kind) {
        case 'input':
          return scope.workflowInput;
        case 'item':
          return scope.item ?? null;
        case 'index':
          return scope.index ?? null;
        case 'error':
          return scope.error?.code ?? null;
        case 'own output':
          return scope.output ?? null;
        case 'variable':
          return isJsonObject(scope.variables) ? (scope.variables[reference.name] ?? null) : null;
        case 'output':
          return scope.outputs.get(reference.step) ?? null;
      }
    },
  };
}

/** The steps of a scope from which a way leads back to them. */
function stepsInCycles({ steps }: ScopeModel): Set<string> {
  const leadsTo = (step: StepModel) => [
    ...(step.next === null ? [] : [step.next]),
    ...step.catch.map(({ next }) => next),
    ...(step.type === 'choice' ? step.rules.map(({ next }) => next) : []),
    ...(step.type === 'choice' && step.otherwise !== null ? [step.otherwise] : []),
  ];
  return new Set(
    [...steps.values()]
      .filter((step) => {
        const seen = new Set<string>();
        const ahead = leadsTo(step);
        for (let id = ahead.pop(); id !== undefined; id = ahead.pop()) {
          if (seen.has(id)) continue;
          seen.add(id);
          ahead.push(...leadsTo(steps.get(id)!));
        }
        return seen.has(step.id);
      })
      .map(({ id }) => id),
  );
}
