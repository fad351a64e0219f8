import { describe, expect, it } from 'vitest';
import { isOpenRun } from '../../shared/engine/state.ts';
import { randomFrom, seedToReplay } from '../support/random.ts';
import { Invariants } from './invariants.ts';
import { type SimulatedRun, World } from './world.ts';

const SEEDS = 400;
const GROUPS = 20;
const STEPS_OF_FAULTS = 160;
const MAX_STEPS_OF_CALM = 4_000;

/** Runs under faults of every kind, then in calm until nothing moves; every invariant is watched all the way. */
async function simulate(seed: number): Promise<World> {
  const random = randomFrom(seed);
  const world = new World(random);
  const invariants = new Invariants(world);
  try {
    await goThroughFaults(world, random, invariants);
    await comeToRest(world, invariants);
    invariants.checkEnd();
  } catch (error) {
    const trace = seedToReplay() === null ? '' : `\n${world.trace.join('\n')}`;
    throw new Error(`SEED=${seed}: ${(error as Error).message}${trace}`, { cause: error });
  }
  return world;
}

async function goThroughFaults(world: World, random: ReturnType<typeof randomFrom>, invariants: Invariants) {
  await world.startRun();
  const anyRun = () => random.pick([...world.runs.values()]);
  const isClosed = ({ runId }: SimulatedRun) => !isOpenRun(world.store.runs.get(runId)!.run);
  for (let i = 0; i < STEPS_OF_FAULTS; i++) {
    const drawn = random.int(100);
    if (drawn < 40) await world.invokeExecutor();
    else if (drawn < 60) await world.invokeBridge();
    else if (drawn < 70) await world.invokeTimekeeper();
    else if (drawn < 80) world.passTime(random.int(5_000));
    else if (drawn < 84) world.passTime(random.int(120_000));
    else if (drawn < 85) world.passTime(random.int(10_000_000));
    else if (drawn < 88) await world.deliverLate();
    else if (drawn < 90) world.broker.isAway = !world.broker.isAway;
    else if (drawn < 92) world.rebalance();
    else if (drawn < 94) await (random.chance(0.7) ? world.startRun() : world.startForeignRun());
    else if (drawn < 95) await world.cancel(anyRun());
    else if (drawn < 96) await world.cancelByRecord(anyRun());
    else {
      const run = anyRun();
      if (isClosed(run)) await world.retry(run);
    }
    invariants.check();
  }
}

async function comeToRest(world: World, invariants: Invariants): Promise<void> {
  world.calmDown();
  for (let i = 0; i < MAX_STEPS_OF_CALM; i++) {
    const moved =
      (await world.invokeExecutor()) ||
      (await world.invokeBridge()) ||
      (await world.deliverLate()) ||
      (await world.invokeTimekeeper());
    invariants.check();
    if (moved) continue;
    const next = world.nextMoment();
    if (next === null) return;
    world.passTime(Math.max(1, next - world.now));
  }
  throw new Error(`I1: still moving after ${MAX_STEPS_OF_CALM} steps`);
}

const replayed = seedToReplay();

describe('under faults of every kind all invariants hold, and each run comes to what it comes to without them', () => {
  if (replayed !== null) {
    it(`SEED=${replayed}`, async () => {
      const world = await simulate(replayed);
      process.stdout.write(`${world.trace.join('\n')}\n`);
    });
    return;
  }

  const ends = { COMPLETED: 0, FAILED: 0, CANCELLED: 0, retried: 0, timedOut: 0, republished: 0 };
  it.each(Array.from({ length: GROUPS }, (_, i) => i))('group %i', async (group) => {
    for (let i = 0; i < SEEDS / GROUPS; i++) {
      const { store } = await simulate(group * (SEEDS / GROUPS) + i + 1);
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
  });
});
