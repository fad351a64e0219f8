import type { RunStore } from '../../../shared/application/ports.ts';
import type { Plan } from '../../../shared/engine/plan.ts';
import type { Random } from '../../support/random.ts';
import { BridgeModel } from '../bridge-model.ts';
import { Invariants } from '../invariants.ts';
import type { Simulation } from '../simulate.ts';
import { World } from '../world.ts';
import { Families, type Liberties } from './families.ts';
import { ModelPlans } from './model-plans.ts';
import { Outcomes } from './outcomes.ts';
import { Users } from './users.ts';

/**
 * Random workflows of all step types in a world of faults.
 * @param disguise what stands between the engine and the store, to see whether that is found
 */
export async function beginLanguage(
  random: Random,
  liberties: Liberties,
  disguise: (store: RunStore) => RunStore = (store) => store,
): Promise<Simulation> {
  const plans = new Map<string, Plan>();
  const world = new World(random, {
    newPlans: () => new ModelPlans(plans),
    maxBatch: 1 + random.int(12),
    maxSkewMs: 2_000,
    disguise,
  });
  const families = new Families(world, plans, liberties);
  const users = new Users(world, families, liberties);
  const outcomes = new Outcomes(world, families, users, liberties);
  const invariants = new Invariants(world, new ModelPlans(plans));
  const started = 1 + random.int(2);
  for (let i = 0; i < started; i++) await families.start();
  return {
    world,
    bridge: new BridgeModel(world, families),
    invariants,
    faults: 50 + random.int(250),
    longestMs: liberties.mayRace ? 10_000_000 : 120_000,
    command: () => users.command(),
    goOn: () => users.goOn(),
    finish: () => users.finish(),
    checkOutcomes: () => outcomes.check(),
  };
}
