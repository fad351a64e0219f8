import { type Random, randomFrom } from '../support/random.ts';
import type { BridgeModel } from './bridge-model.ts';
import type { Invariants } from './invariants.ts';
import type { World } from './world.ts';

/** A world with what watches it, and what its users may do. */
export interface Simulation {
  readonly world: World;
  readonly bridge: BridgeModel;
  readonly invariants: Invariants;
  /** So many things happen before the calm. */
  readonly faults: number;
  /** How far time may jump, now and then. */
  readonly longestMs: number;
  /** Something that a user does. @param runId to that run, where it is one that users ask things of */
  command(runId?: string): Promise<void>;
  /** In the calm, before time passes: what would keep runs from ever ending. False: nothing does. */
  goOn(): Promise<boolean>;
  /** In the calm, where nothing moves by itself: what somebody still waits for. False: for nothing. */
  finish(): Promise<boolean>;
  checkOutcomes(): void;
}

const MOST_STEPS_OF_CALM = 20_000;
const LINES = 400;

/**
 * Goes through faults of every kind, then in calm until nothing moves; every invariant is watched all the way. A failure names its
 * seed, and tells the history of the runs that it is about: that of the fewest faults with which it still fails.
 */
export async function simulate<One extends Simulation>(
  seed: number,
  begin: (random: Random) => Promise<One>,
  mostStepsOfCalm = MOST_STEPS_OF_CALM,
): Promise<One> {
  try {
    const simulation = await begin(randomFrom(seed));
    await play(simulation, simulation.faults, mostStepsOfCalm);
    return simulation;
  } catch (error) {
    throw await shortened(seed, begin, mostStepsOfCalm, error as Error);
  }
}

class SimulationFailed extends Error {}

async function play(simulation: Simulation, faults: number, mostStepsOfCalm: number): Promise<void> {
  const { world, invariants } = simulation;
  world.others = (runId, mayCommand) => comeBetween(simulation, runId, mayCommand);
  try {
    for (let i = 0; i < faults; i++) {
      await happen(simulation);
      invariants.check();
    }
    await comeToRest(simulation, mostStepsOfCalm);
    invariants.checkEnd();
    simulation.checkOutcomes();
  } catch (error) {
    const { message, stack } = error as Error;
    throw new SimulationFailed(`${message}\n${historyOf(world, message)}\n${stack}`, { cause: error });
  }
}

async function happen({ world, bridge, longestMs, command }: Simulation): Promise<void> {
  const { random } = world;
  const drawn = random.int(100);
  if (drawn < 44) await world.invokeExecutor();
  else if (drawn < 62) await bridge.invoke();
  else if (drawn < 72) await world.invokeTimekeeper();
  else if (drawn < 80) world.passTime(random.int(5_000));
  else if (drawn < 84) world.passTime(random.int(Math.min(longestMs, 120_000)));
  else if (drawn < 85) world.passTime(random.int(longestMs));
  else if (drawn < 88) await world.deliverLate();
  else if (drawn < 90) world.broker.isAway = !world.broker.isAway;
  else if (drawn < 91) world.stall();
  else if (drawn < 93) world.rebalance();
  else await command();
}

/** What others do while an invocation decides about a run. */
async function comeBetween(
  { world, bridge, command }: Simulation,
  runId: string,
  mayCommand: boolean,
): Promise<void> {
  const drawn = world.random.int(10);
  if (drawn < 5) await world.invokeExecutor(runId);
  else if (drawn < 6) await world.invokeTimekeeper();
  else if (drawn < 7) await bridge.invoke();
  else if (mayCommand && drawn < 8) await world.deliverLate();
  else if (mayCommand) await command(runId);
}

async function comeToRest(
  { world, bridge, invariants, goOn, finish }: Simulation,
  mostSteps: number,
): Promise<void> {
  world.calmDown();
  for (let i = 0; i < mostSteps; i++) {
    const moved =
      (await world.invokeExecutor()) ||
      (await bridge.invoke()) ||
      (await world.deliverLate()) ||
      (await world.invokeTimekeeper()) ||
      (await goOn());
    invariants.check();
    if (moved) continue;
    const next = world.nextMoment();
    if (next !== null) world.passTime(Math.max(1, next - world.now));
    else if (!(await finish())) return;
  }
  throw new Error(`I1: still moving after ${mostSteps} steps`);
}

/** The failure with as few faults as still bring it about, found by doubling. */
async function shortened<One extends Simulation>(
  seed: number,
  begin: (random: Random) => Promise<One>,
  mostStepsOfCalm: number,
  failed: Error,
): Promise<Error> {
  let failure = failed;
  for (let faults = 0; ; faults = faults * 2 || 1) {
    const simulation = await begin(randomFrom(seed));
    if (faults >= simulation.faults) break;
    try {
      await play(simulation, faults, mostStepsOfCalm);
    } catch (error) {
      failure = error as Error;
      break;
    }
  }
  return new Error(`SEED=${seed}: ${failure.message}`, { cause: failure.cause });
}

/** What happened to the runs that a failure names, and to those which started them or which they started. */
function historyOf(world: World, message: string): string {
  const named = new Set(message.match(/run-\d+-\d+/g) ?? []);
  const related = new Set<string>();
  for (const { runId, attempt } of world.store.attempts.values())
    if (attempt.childRunId !== null && (named.has(runId) || named.has(attempt.childRunId)))
      for (const each of [runId, attempt.childRunId]) related.add(each);
  for (const each of named) related.add(each);
  const lines = world.trace
    .filter(({ about }) => related.size === 0 || about.some((runId) => related.has(runId)))
    .map(({ at, what }) => `${new Date(at).toISOString()} ${what}`);
  return lines.slice(-LINES).join('\n');
}
