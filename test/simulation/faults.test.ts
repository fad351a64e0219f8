import { describe, expect, it } from 'vitest';
import { PlanCache } from '../../shared/application/plan-cache.ts';
import { planDefaults } from '../../shared/config/plan-defaults.ts';
import { type Random, seedToReplay } from '../support/random.ts';
import { BridgeModel } from './bridge-model.ts';
import { Invariants } from './invariants.ts';
import { POISONS } from './poisons.ts';
import { Sequences } from './sequences.ts';
import { simulate } from './simulate.ts';
import { AGENT_TOPIC } from './topics.ts';
import { World } from './world.ts';

const SEEDS = Number(process.env.SEEDS ?? 400);
const GROUPS = 20;

async function begin(random: Random) {
  const newPlans = () => new PlanCache(planDefaults);
  const world = new World(random, { newPlans, maxBatch: 5, maxSkewMs: 10_000 });
  const sequences = new Sequences(world);
  const invariants = new Invariants(world, newPlans());
  await sequences.start();
  return {
    world,
    bridge: new BridgeModel(world, sequences),
    invariants,
    faults: 160,
    longestMs: 10_000_000,
    command: async (runId?: string) => {
      const drawn = random.int(10);
      if (drawn < 2) await (random.chance(0.7) ? sequences.start() : sequences.startForeign());
      else if (drawn < 3) await sequences.cancel(runId);
      else if (drawn < 4) await sequences.cancelByRecord(runId);
      else if (drawn < 5) await sequences.forgeWake(runId);
      else if (drawn < 9) await sequences.retryOne(runId);
      else if (random.chance(0.5)) world.loseTopic(AGENT_TOPIC);
      else world.registry.isAway = !world.registry.isAway;
    },
    goOn: async () => false,
    finish: async () => false,
    checkOutcomes: () => sequences.checkOutcomes(),
  };
}

const replayed = seedToReplay();

describe('under faults of every kind all invariants hold, and each run comes to what it comes to without them', () => {
  if (replayed !== null) {
    it(`SEED=${replayed}`, async () => {
      const { world } = await simulate(replayed, begin);
      for (const { at, what } of world.trace) process.stdout.write(`${new Date(at).toISOString()} ${what}\n`);
    });
    return;
  }

  const ends = {
    COMPLETED: 0,
    FAILED: 0,
    CANCELLED: 0,
    retried: 0,
    timedOut: 0,
    republished: 0,
    reordered: 0,
  };
  const poisons = new Set<string>();
  it.each(Array.from({ length: GROUPS }, (_, i) => i))('group %i', async (group) => {
    for (let seed = group + 1; seed <= SEEDS; seed += GROUPS) {
      const { met, poisons: one, store } = (await simulate(seed, begin)).world;
      ends.reordered += met.get('went on in another order') ?? 0;
      for (const code of one.met.keys()) poisons.add(code);
      for (const { run } of store.runs.values()) {
        ends[run.status as 'COMPLETED' | 'FAILED' | 'CANCELLED']++;
        if (run.retriedAt !== null) ends.retried++;
      }
      for (const { attempt } of store.attempts.values()) {
        if (attempt.error?.code === 'TIMEOUT') ends.timedOut++;
        if (attempt.republishedAt !== null) ends.republished++;
      }
    }
  });

  it('and the seeds have met every kind of end', () => {
    const met = Object.entries(ends).filter(([, count]) => count >= 10);
    expect(met.map(([kind]) => kind)).toEqual(Object.keys(ends));
    expect([...poisons].sort()).toEqual([...POISONS].sort());
  });
});
