import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stepKey } from '../../../shared/engine/state.ts';
import { randomFrom } from '../../support/random.ts';
import { workflows } from './arbitraries.ts';
import { EngineWorld, type Faults, TOP_RUN } from './engine-world.ts';
import { interpret, outputKey } from './interpreter.ts';
import type { AgentModel, WorkflowModel } from './workflow-model.ts';

/*
 * Random workflows, random outcomes and random orders of events, the same at every run. `SEED=… RUNS=… npx vitest run --project
 * simulation test/simulation/engine` tries others; `SEED=… SEED_PATH=…` runs one case again, as the failure tells it.
 */

const CALM: Faults = {
  mayRepeat: true,
  mayLose: true,
  mayPause: false,
  mayCommand: false,
  mayGoBack: false,
  mayTimeOut: false,
};

const input = fc.constantFrom(0, 7, 'text', { v0: 1, v1: [1] });
const percentage = fc.constantFrom(0, 10, 30);
const seed = fc.nat(1_000_000_000);

describe('the engine and the interpreter', () => {
  it('agree on what a run comes to, whatever is late, lost, repeated, batched or paused', () => {
    check(2_000, { hasRaces: false }, { ...CALM, mayPause: true }, true, true);
  });

  it('agree though the run is cancelled and retried time and again', () => {
    check(1_000, { hasRaces: false }, { ...CALM, mayPause: true, mayCommand: true }, false, true);
  });
});

describe('the invariants', () => {
  it('hold where deadlines pass, children race, children are cancelled and runs go back to earlier steps', () => {
    const all = { ...CALM, mayPause: true, mayCommand: true, mayGoBack: true, mayTimeOut: true };
    check(1_000, { hasRaces: true }, all, true, false);
  });
});

function check(
  numRuns: number,
  options: Parameters<typeof workflows>[0],
  faults: Faults,
  isFickle: boolean,
  mustAgree: boolean,
): void {
  let compared = 0;
  const property = fc.property(
    workflows(options),
    input,
    percentage,
    seed,
    (models, given, failurePercentage, chance) => {
      const agents: AgentModel = { seed: chance % 1_000, isFickle, failurePercentage };
      const world = new EngineWorld(models, agents, faults, randomFrom(chance));
      try {
        world.start('top', given);
        world.run();
        if (mustAgree && agrees(models, given, agents, world, faults)) compared++;
      } catch (error) {
        throw new Error(`${(error as Error).message}\n${world.story()}`, {
          cause: error,
        });
      }
    },
  );
  fc.assert(property, { numRuns: Number(process.env.RUNS ?? numRuns), ...toReplay() });
  if (mustAgree && process.env.RUNS === undefined) expect(compared).toBeGreaterThan(numRuns / 2);
}

function toReplay(): { seed?: number; path?: string } {
  const { SEED: seed, SEED_PATH: path } = process.env;
  return { ...(seed !== undefined && { seed: Number(seed) }), ...(path !== undefined && { path }) };
}

/** False: the outcome hangs on which of two events came first. */
function agrees(
  models: ReadonlyMap<string, WorkflowModel>,
  given: Parameters<EngineWorld['start']>[1],
  agents: AgentModel,
  world: EngineWorld,
  { mayCommand }: Faults,
): boolean {
  const expected = interpret(models.get('top')!, given, { workflows: models, agents });
  if (expected.isRace) return false;
  const { run, attempts, variables } = world.store.get(TOP_RUN);
  const end =
    run.status === 'COMPLETED' ? { ok: true, output: run.outputData } : { ok: false, code: run.error?.code };
  expect(end).toEqual(expected.end);
  expect(variables.get('') ?? (isObject(given) ? given : {})).toEqual(expected.variables);
  // A run that was retried may have made more attempts, and so a container more visits.
  if (mayCommand) return true;
  for (const { status, scope, stepId, visit, outputData } of attempts.values()) {
    const key = outputKey(scope, stepId, visit);
    if (status === 'COMPLETED' && expected.outputs.has(key))
      expect([stepKey(scope, stepId), outputData]).toEqual([
        stepKey(scope, stepId),
        expected.outputs.get(key),
      ]);
  }
  return true;
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}
