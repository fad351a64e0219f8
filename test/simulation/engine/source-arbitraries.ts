import type fc from 'fast-check';
import { type Options, workflows } from './arbitraries.ts';
import type {
  ConditionModel,
  ExpressionModel,
  ReferenceModel,
  ScopeModel,
  SourceCondition,
  SourceMakes,
  StepModel,
  WorkflowModel,
} from './workflow-model.ts';

/*
 * Random workflows of what a definition's source can say, and registering takes: paths that read what is there on every way, no
 * step that no way leads to. What is there is found by walking all ways until nothing changes, not as the registration finds it.
 */

export function sourceWorkflows(options: Options): fc.Arbitrary<ReadonlyMap<string, WorkflowModel>> {
  return workflows(options).map(
    (models) =>
      new Map([...models].map(([name, model]) => [name, { ...model, scope: sourceScope(model.scope, TOP) }])),
  );
}

interface Around {
  /** Steps that have completed. */
  readonly completed: ReadonlySet<string>;
  readonly isBehindCatch: boolean;
}

const TOP: Around = { completed: new Set(), isBehindCatch: false };

function sourceScope(model: ScopeModel, around: Around): ScopeModel {
  const scope = reachable(withCounters(model));
  const completed = completedBefore(scope, around.completed);
  const behind = behindCatch(scope);
  const steps = [...scope.steps.values()].map((step) =>
    sourceStep(step, {
      completed: completed.get(step.id) as ReadonlySet<string>,
      isBehindCatch: around.isBehindCatch || behind.has(step.id),
    }),
  );
  return { ...scope, steps: new Map(steps.map((step) => [step.id, step])) };
}

/** A choice assigns nothing: a step before it counts how often a loop came by, by a list in a list. */
function withCounters({ startStep, steps }: ScopeModel): ScopeModel {
  const counted = [...steps.values()].flatMap((step): StepModel[] => {
    const variable = Object.keys(step.assign ?? {})[0];
    const [rule] = step.type === 'choice' ? step.rules : [];
    if (step.type !== 'choice' || variable === undefined || rule?.when.kind !== 'below') return [step];
    const id = `${step.id}_choice`;
    const counter: ExpressionModel = {
      references: [{ kind: 'variable', name: variable }],
      makes: 'seen',
      salt: 0,
    };
    const when: ConditionModel = { kind: 'nested', variable, depth: rule.when.limit + 1, holds: false };
    const { retry, timeoutMs, output } = step;
    return [
      {
        id: step.id,
        type: 'pass',
        result: { references: [], makes: 'seen', salt: 0 },
        assign: { [variable]: counter },
        next: id,
        catch: [],
        retry,
        timeoutMs,
        output,
      },
      { ...step, id, assign: null, rules: [{ ...rule, when }] },
    ];
  });
  return { startStep, steps: new Map(counted.map((step) => [step.id, step])) };
}

interface Exit {
  readonly to: string;
  readonly isCatch: boolean;
}

function exitsOf(step: StepModel): Exit[] {
  if (step.type === 'fail') return [];
  const caught = step.catch.map(({ next }) => ({ to: next, isCatch: true }));
  const on = (to: string | null) => (to === null ? [] : [{ to, isCatch: false }]);
  if (step.type === 'succeed') return caught;
  if (step.type === 'choice')
    return [...caught, ...step.rules.flatMap(({ next }) => on(next)), ...on(step.otherwise)];
  return [...caught, ...on(step.next)];
}

function reachable({ startStep, steps }: ScopeModel): ScopeModel {
  const reached = ahead(steps, [startStep]);
  return { startStep, steps: new Map([...steps].filter(([id]) => reached.has(id))) };
}

function behindCatch({ steps }: ScopeModel): ReadonlySet<string> {
  const handlers = [...steps.values()].flatMap((step) => exitsOf(step).filter(({ isCatch }) => isCatch));
  return ahead(
    steps,
    handlers.map(({ to }) => to),
  );
}

function ahead(steps: ScopeModel['steps'], from: readonly string[]): ReadonlySet<string> {
  const reached = new Set<string>();
  const open = [...from];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    if (reached.has(id)) continue;
    reached.add(id);
    open.push(...exitsOf(steps.get(id) as StepModel).map(({ to }) => to));
  }
  return reached;
}

/** By step: what has completed on every way to it. */
function completedBefore(
  { startStep, steps }: ScopeModel,
  before: ReadonlySet<string>,
): ReadonlyMap<string, ReadonlySet<string>> {
  const found = new Map<string, ReadonlySet<string>>([[startStep, before]]);
  for (let isChanged = true; isChanged; ) {
    isChanged = false;
    for (const step of steps.values()) {
      const here = found.get(step.id);
      if (here === undefined) continue;
      for (const { to, isCatch } of exitsOf(step)) {
        const there = isCatch ? here : new Set([...here, step.id]);
        const known = found.get(to);
        const both = known === undefined ? there : new Set([...known].filter((id) => there.has(id)));
        if (known?.size === both.size) continue;
        found.set(to, both);
        isChanged = true;
      }
    }
  }
  return found;
}

function sourceStep(step: StepModel, around: Around): StepModel {
  const of = (expression: ExpressionModel, makes?: SourceMakes) => sourceOf(expression, around, makes);
  const isEnd = step.type === 'choice' || step.type === 'succeed' || step.type === 'fail';
  const isTried = ['agent', 'parallel', 'map', 'workflow'].includes(step.type);
  const { assign } = step;
  const base = {
    ...step,
    output: isEnd || step.output === null ? null : of(step.output),
    assign:
      isEnd || assign === null
        ? null
        : Object.fromEntries(Object.entries(assign).map(([name, each]) => [name, of(each)])),
    retry: isTried ? step.retry : [],
    catch: step.type === 'fail' ? [] : step.catch,
    timeoutMs: isTried || step.type === 'signal' ? step.timeoutMs : null,
  };
  switch (step.type) {
    case 'agent':
      return { ...base, ...step, ...own(base), input: of(step.input, 'fields') };
    case 'choice':
      return {
        ...base,
        ...step,
        ...own(base),
        rules: step.rules.map(({ next, when }) => ({ next, when: conditionOf(when, around) })),
      };
    case 'parallel': {
      const branches = step.branches.map(({ name, scope }) => ({ name, scope: sourceScope(scope, around) }));
      return { ...base, ...step, ...own(base), branches };
    }
    case 'map': {
      // The one that most likely is a list.
      const list: ReferenceModel = { kind: 'variable', name: 'v1' };
      const items =
        step.items.salt % 2
          ? { ...step.items, references: [list], makes: 'first' as const }
          : of(step.items, 'first');
      return { ...base, ...step, ...own(base), items, scope: sourceScope(step.scope, around) };
    }
    case 'workflow':
      return { ...base, ...step, ...own(base), input: of(step.input, 'fields') };
    case 'pass':
    case 'succeed':
      return { ...base, ...step, ...own(base), result: of(step.result) };
    case 'wait':
    case 'signal':
    case 'fail':
      return { ...base, ...step, ...own(base) };
  }
}

function own({
  output,
  assign,
  retry,
  catch: caught,
  timeoutMs,
}: Pick<StepModel, 'output' | 'assign' | 'retry' | 'catch' | 'timeoutMs'>) {
  return { output, assign, retry, catch: caught, timeoutMs };
}

const MAKES = ['seen', 'fields', 'seen', 'first'] as const;

function sourceOf(expression: ExpressionModel, around: Around, makes?: SourceMakes): ExpressionModel {
  const readable = expression.references.filter((reference) => isReadable(reference, around));
  // A path, and not nothing.
  const references: readonly ReferenceModel[] =
    makes === 'first' && readable.length === 0 ? [{ kind: 'input' }] : readable;
  const { salt } = expression;
  return { references, salt, makes: makes ?? (MAKES[salt % MAKES.length] as SourceMakes) };
}

function isReadable(reference: ReferenceModel, { completed, isBehindCatch }: Around): boolean {
  switch (reference.kind) {
    case 'error':
      return isBehindCatch;
    case 'output':
      return completed.has(reference.step);
    default:
      return true;
  }
}

function conditionOf(condition: ConditionModel, around: Around): SourceCondition {
  if (condition.kind !== 'hash') return condition as SourceCondition;
  const { references, salt } = sourceOf(condition.of, around, 'first');
  const of = references.at(-1) as ReferenceModel;
  const kinds = [
    { kind: 'is text', of, holds: true },
    { kind: 'is number', of, holds: salt % 2 === 0 },
    { kind: 'less than', of, limit: salt * 100 },
    { kind: 'is text', of, holds: false },
  ] satisfies SourceCondition[];
  return kinds[salt % kinds.length] as SourceCondition;
}
