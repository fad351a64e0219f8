import type { Plan } from '../../../shared/engine/plan.ts';
import type { Random } from '../../support/random.ts';
import { BridgeModel } from '../bridge-model.ts';
import { Invariants } from '../invariants.ts';
import type { Simulation } from '../simulate.ts';
import { type Faults, World } from '../world.ts';
import { Families, type Liberties } from './families.ts';
import { ModelPlans } from './model-plans.ts';
import { Outcomes } from './outcomes.ts';
import { Users } from './users.ts';

/**
 * Random workflows of all step types in a world of faults.
 * @param faults of the environments, to see whether they are found
 */
export async function beginLanguage(
  random: Random,
  liberties: Liberties,
  faults: Faults = {},
): Promise<Simulation> {
  const plans = new Map<string, Plan>();
  const newPlans = () => new ModelPlans(plans);
  const world = new World(random, { newPlans, maxBatch: 1 + random.int(12), maxSkewMs: 2_000 }, faults);
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
    command: (runId) => users.command(runId),
    goOn: () => users.goOn(),
    finish: () => users.finish(),
    checkOutcomes: () => outcomes.check(),
  };
}
