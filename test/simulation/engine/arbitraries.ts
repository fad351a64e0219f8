import fc from 'fast-check';
import type {
  ConditionModel,
  ExpressionModel,
  ReferenceModel,
  ScopeModel,
  StepKind,
  StepModel,
  WorkflowModel,
} from './workflow-model.ts';

/* Random workflows: shapes are drawn, and then given ids and links, so that whatever is drawn is a workflow that can be run. */

interface Shape {
  readonly kind: Kind;
  readonly numbers: readonly number[];
  readonly inner: readonly (readonly Shape[])[];
}

type Kind = StepKind['type'] | 'loop';

const LEAVES: readonly (readonly [Kind, number])[] = [
  ['agent', 8],
  ['pass', 3],
  ['choice', 3],
  ['loop', 3],
  ['wait', 2],
  ['signal', 2],
  ['workflow', 3],
  ['succeed', 1],
  ['fail', 1],
];
const MAX_DEPTH = 3;

const numbers = fc.array(fc.nat(10_000), { minLength: 14, maxLength: 14 });

function shapes(depth: number): fc.Arbitrary<Shape[]> {
  const leaf = fc.record({
    kind: fc.oneof(...LEAVES.map(([kind, weight]) => ({ weight, arbitrary: fc.constant(kind) }))),
    numbers,
    inner: fc.constant<Shape[][]>([]),
  });
  if (depth === MAX_DEPTH) return fc.array(leaf, { minLength: 1, maxLength: 3, size: 'max' });
  const container = fc.record({
    kind: fc.constantFrom<Kind>('parallel', 'map'),
    numbers,
    inner: fc.array(shapes(depth + 1), { minLength: 1, maxLength: 3, size: 'max' }),
  });
  const shape = fc.oneof(
    { weight: 4, arbitrary: leaf },
    { weight: depth === 0 ? 2 : 1, arbitrary: container },
  );
  return fc.array(shape, { minLength: 1, maxLength: depth === 0 ? 8 : 4, size: 'max' });
}

/** What is drawn beside the steps that a fault-free run always takes. */
export interface Options {
  /** `wait_for` a count, and timeouts: who is first decides. */
  readonly hasRaces: boolean;
}

/** The first starts the second, and that the third. */
export function workflows({ hasRaces }: Options): fc.Arbitrary<ReadonlyMap<string, WorkflowModel>> {
  return fc.tuple(shapes(0), shapes(2), shapes(3)).map((drawn) => {
    const names = ['top', 'child', 'grandchild'];
    return new Map(
      drawn.map((shape, i) => {
        const builder = new Builder(names[i] as string, names.slice(i + 1), hasRaces);
        const scope = builder.scope(shape, { steps: [], inMap: false });
        const n = shape[0]?.numbers[0] ?? 0;
        return [
          names[i] as string,
          { name: names[i] as string, scope, timeoutMs: hasRaces && n % 9 === 0 ? 900_000 : null },
        ];
      }),
    );
  });
}

interface Around {
  /** Steps of the scopes around, whose outputs can be read. */
  readonly steps: readonly string[];
  readonly inMap: boolean;
}

class Builder {
  readonly #name: string;
  readonly #startable: readonly string[];
  readonly #hasRaces: boolean;
  #count = 0;

  constructor(name: string, startable: readonly string[], hasRaces: boolean) {
    this.#name = name;
    this.#startable = startable;
    this.#hasRaces = hasRaces;
  }

  scope(shapes: readonly Shape[], around: Around): ScopeModel {
    const ids = shapes.map(() => `${this.#name}${++this.#count}`);
    const visible = { ...around, steps: [...around.steps, ...ids] };
    const steps = shapes.map((shape, i) => this.#step(shape, i, ids, visible));
    return { startStep: ids[0] as string, steps: new Map(steps.map((step) => [step.id, step])) };
  }

  #step(
    { kind: drawn, numbers, inner }: Shape,
    at: number,
    ids: readonly string[],
    around: Around,
  ): StepModel {
    // There is nothing to choose at the end.
    const kind = at === ids.length - 1 && (drawn === 'choice' || drawn === 'loop') ? 'pass' : drawn;
    const number = (i: number) => numbers[i] as number;
    const id = ids[at] as string;
    const next = ids[at + 1] ?? null;
    const later = ids.slice(at + 1);
    const expression = (
      i: number,
      of: 'settling' | 'starting' = 'starting',
      makes?: ExpressionModel['makes'],
    ) => this.#expression(number(i), around, of, makes);
    const base = {
      id,
      next,
      output: number(1) % 6 === 0 ? expression(1, 'settling') : null,
      assign: number(2) % 3 === 0 ? { [`v${number(2) % 2}`]: expression(2, 'settling') } : null,
      retry: this.#retry(number(3)),
      catch: later.length > 0 && number(4) % 2 === 0 ? [this.#catch(number(4), later)] : [],
      timeoutMs: this.#hasRaces && number(5) % 4 === 0 ? 1_000 + number(5) * 10 : null,
    };
    switch (kind) {
      case 'agent':
        return {
          ...base,
          type: 'agent',
          input: expression(6, 'starting', number(6) % 20 ? 'object' : undefined),
          heartbeatMs: this.#hasRaces && number(7) % 2 ? 1_000 + number(7) * 10 : null,
        };
      case 'choice': {
        const rule = (i: number) => ({
          next: later[number(i) % later.length] as string,
          when: { kind: 'hash', of: expression(i), modulo: 2 } satisfies ConditionModel,
        });
        const rules = [rule(7), rule(8)];
        const otherwise = number(9) % 5 === 0 ? null : next;
        return { ...base, output: null, type: 'choice', next: null, rules, otherwise };
      }
      case 'loop': {
        // Back to any step before it, a few times; then on, or to the end of the scope by a step that ends it.
        const variable = `count_${id}`;
        const back = {
          next: ids[number(7) % (at + 1)] as string,
          when: { kind: 'below', variable, limit: 1 + (number(8) % 3) } satisfies ConditionModel,
        };
        const counter: ExpressionModel = {
          references: [{ kind: 'variable', name: variable }],
          makes: 'counter',
          salt: 0,
        };
        const assign = { [variable]: counter };
        return { ...base, output: null, assign, type: 'choice', next: null, rules: [back], otherwise: next };
      }
      case 'parallel': {
        const branches = inner.map((shapes, i) => ({ name: `b ${i}/`, scope: this.scope(shapes, around) }));
        const needed = this.#hasRaces && number(7) % 2 ? 1 + (number(8) % branches.length) : branches.length;
        return { ...base, type: 'parallel', branches, needed };
      }
      case 'map': {
        const scope = this.scope(inner[0] as readonly Shape[], { ...around, inMap: true });
        const maxConcurrency = number(7) % 2 ? 1 + (number(7) % 3) : null;
        const toleratedFailures = number(8) % 3 === 0 ? number(8) % 4 : 0;
        const items = expression(9, 'starting', number(9) % 12 ? 'list' : undefined);
        return { ...base, type: 'map', items, scope, maxConcurrency, toleratedFailures };
      }
      case 'wait':
        return { ...base, type: 'wait', seconds: number(6) % 4 ? number(6) % 500 : 0 };
      case 'signal': {
        const isSent = number(6) % 4 > 0;
        const timeoutMs = isSent ? base.timeoutMs : 5_000;
        return { ...base, type: 'signal', signal: `${isSent ? 'sent' : 'never'}${number(7) % 3}`, timeoutMs };
      }
      case 'workflow': {
        const workflow =
          number(6) % 9 === 0 ? 'none' : (this.#startable[number(6) % 2] ?? this.#startable[0] ?? 'none');
        const waits = number(7) % 4 > 0;
        // The id of a run that nobody waits for is nobody's to tell.
        const told = waits ? base : { ...base, assign: null, output: expression(1, 'starting', 'number') };
        return { ...told, type: 'workflow', workflow, input: expression(8, 'starting', 'object'), waits };
      }
      case 'pass':
      case 'succeed':
        return { ...base, type: kind, result: expression(6) };
      case 'fail':
        return { ...base, type: 'fail', code: `F${number(6) % 3}` };
    }
  }

  #retry(number: number): StepModel['retry'] {
    if (number % 2 > 0) return [];
    const codes = number % 4 ? null : ['BUSY', 'F1'];
    return [
      { codes, maxAttempts: 1 + (number % 3) },
      { codes: null, maxAttempts: 2 },
    ];
  }

  #catch(number: number, later: readonly string[]): StepModel['catch'][number] {
    const codes = number % 3 === 0 ? ['BUSY', 'TIMEOUT', 'EXPRESSION_ERROR', 'F0'] : null;
    return { codes, next: later[number % later.length] as string };
  }

  #expression(
    number: number,
    { steps, inMap }: Around,
    of: 'settling' | 'starting',
    given?: ExpressionModel['makes'],
  ): ExpressionModel {
    const makes = given ?? MAKES[number % MAKES.length];
    const all: ReferenceModel[] = [
      { kind: 'input' },
      { kind: 'error' },
      { kind: 'variable', name: `v${number % 2}` },
      { kind: 'output', step: steps[number % steps.length] as string },
      { kind: 'output', step: steps[(number >> 3) % steps.length] as string },
      ...(inMap ? ([{ kind: 'item' }, { kind: 'index' }] as const) : []),
      ...(of === 'settling' ? ([{ kind: 'own output' }] as const) : []),
    ];
    const references = all.filter((_, i) => (number >> i) % 2 === 1);
    return { references, makes: makes as ExpressionModel['makes'], salt: number % 7 };
  }
}

const MAKES = [
  ...['number', 'text', 'list', 'object', 'number', 'text', 'number', 'object', 'number', 'number', 'object'],
  ...[
    'number',
    'number',
    'text',
    'object',
    'number',
    'list',
    'number',
    'object',
    'number',
    'number',
    'object',
  ],
  ...[
    'number',
    'number',
    'text',
    'object',
    'number',
    'list',
    'number',
    'object',
    'number',
    'large',
    'broken',
  ],
] as const;
