import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compilePlan } from '../../../shared/definition/compile-plan.ts';
import { parseDefinition } from '../../../shared/definition/parse-definition.ts';
import { findWarnings } from '../../../shared/definition/warnings/find-warnings.ts';
import type { Json, JsonObject } from '../../../shared/engine/json.ts';
import type { Plan } from '../../../shared/engine/plan.ts';
import { randomFrom } from '../../support/random.ts';
import { definitionOf } from './definition-of.ts';
import { EngineWorld, type Faults, TOP_RUN } from './engine-world.ts';
import { interpret } from './interpreter.ts';
import { mutated } from './mutations.ts';
import { SETTINGS } from './plan-of.ts';
import { sourceWorkflows } from './source-arbitraries.ts';
import type { AgentModel, WorkflowModel } from './workflow-model.ts';

/*
 * Random definitions as somebody would write them, through the registration's checks and the compiler to the engine. A failure
 * tells its seed: `SEED=… SEED_PATH=…` runs one case again, `RUNS=…` more of them.
 */

const FAULTS: Faults = {
  mayRepeat: true,
  mayLose: true,
  mayPause: true,
  mayCommand: false,
  mayGoBack: false,
  mayTimeOut: false,
};
const input = fc.constantFrom<Json>(7, 'text', { v0: 1, v1: [1, 'two', 3] }, { v1: [{}, []] }, [1, [2]]);
const agents = fc.record({
  seed: fc.nat(1_000),
  isFickle: fc.boolean(),
  failurePercentage: fc.constantFrom(0, 10, 30),
});
const chance = fc.nat(1_000_000_000);
const DEFAULTS = { ...SETTINGS, retry: [], runTimeoutMs: null };

describe('a definition that can be written', () => {
  it('is taken, and its runs come to what the interpreter of the same workflow comes to', () => {
    let compared = 0;
    const check = (
      models: ReadonlyMap<string, WorkflowModel>,
      given: Json,
      model: AgentModel,
      seed: number,
    ) => {
      const plans = new Map([...models].map(([name, each]) => [name, compiled(definitionOf(each))]));
      const world = new EngineWorld(models, model, FAULTS, randomFrom(seed), plans);
      run(world, given);
      const expected = interpret(models.get('top') as WorkflowModel, given, {
        workflows: models,
        agents: model,
      });
      if (expected.isRace) return;
      compared++;
      const { run: ended, variables } = world.store.get(TOP_RUN);
      const end =
        ended.status === 'COMPLETED'
          ? { ok: true, output: ended.outputData }
          : { ok: false, code: ended.error?.code };
      expect(end).toEqual(expected.end);
      if (variables.has('')) expect(variables.get('')).toEqual(expected.variables);
    };
    assert(1_000, fc.property(sourceWorkflows({ hasRaces: false }), input, agents, chance, check));
    if (process.env.RUNS === undefined) expect(compared).toBeGreaterThan(500);
  });
});

describe('a definition that something was done to', () => {
  it('is refused with what is wrong and where, or its runs come to an end: never an exception', () => {
    const outcomes = { refused: 0, taken: 0 };
    const limited = { ...DEFAULTS, maxStepsPerRun: 60, maxRunDepth: 2 };
    const check = (
      models: ReadonlyMap<string, WorkflowModel>,
      given: Json,
      model: AgentModel,
      seed: number,
    ) => {
      const random = randomFrom(seed);
      const plans = new Map<string, Plan>();
      for (const [name, each] of models) {
        const definition = mutated(definitionOf(each), random);
        const parsed = parseDefinition(definition);
        if (parsed.ok) {
          outcomes.taken++;
          findWarnings(parsed.definition, { maxMapItems: 3 });
          plans.set(name, compilePlan(parsed.definition, limited));
        } else {
          outcomes.refused++;
          expect(parsed.problems.length).toBeGreaterThan(0);
          for (const { path, message } of parsed.problems)
            expect([typeof path, message]).toEqual([
              'string',
              expect.stringMatching(/^(expected|no way|unknown field)/),
            ]);
          plans.set(name, compiled(definitionOf(each), limited));
        }
      }
      // Who waits for what nobody sends waits for ever: so it may be written.
      run(new EngineWorld(models, model, { ...FAULTS, mayTimeOut: true }, random, plans), given, true);
    };
    assert(600, fc.property(sourceWorkflows({ hasRaces: true }), input, agents, chance, check));
    if (process.env.RUNS !== undefined) return;
    expect(outcomes.refused).toBeGreaterThan(300);
    expect(outcomes.taken).toBeGreaterThan(150);
  });
});

function compiled(definition: JsonObject, defaults = DEFAULTS): Plan {
  const parsed = parseDefinition(definition);
  if (!parsed.ok)
    throw new Error(`Refused: ${JSON.stringify(parsed.problems)}\n${JSON.stringify(definition)}`);
  return compilePlan(parsed.definition, defaults);
}

function run(world: EngineWorld, given: Json, mayWait = false): void {
  try {
    world.start('top', given);
    world.run({ mayWait });
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${world.story()}`, { cause: error });
  }
}

function assert<Ts>(numRuns: number, property: fc.IProperty<Ts>): void {
  const { RUNS, SEED: seed, SEED_PATH: path } = process.env;
  fc.assert(property, {
    numRuns: Number(RUNS ?? numRuns),
    ...(seed !== undefined && { seed: Number(seed) }),
    ...(path !== undefined && { path }),
  });
}
