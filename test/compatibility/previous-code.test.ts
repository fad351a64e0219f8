import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';
import type { RunWorld } from '../support/run-world.ts';
import { keptRelease } from './kept-release.ts';
import { begin, end, expected, type Played } from './play.ts';
import { currentRelease, previousRelease } from './release.ts';
import { expectAllEnded, expectEachCalledOnce } from './release-checks.ts';
import { migrateAs, type ReleaseStack, startReleaseStack } from './release-stack.ts';
import { openReleaseWorld, restoreWorld } from './release-world.ts';
import { keptSituations, liveSituations } from './situations/all-situations.ts';
import type { Situation } from './situations/situation.ts';
import { type Call, openStage, type Stage } from './stage.ts';

/*
 * While a deployment goes on the migration has run, and the previous release's functions serve beside this tree's, or alone again after
 * it was taken back: on one database, from the same topics, in the same consumer groups.
 */

const servers = { databaseUrl: inject('databaseUrl'), kafkaBrokers: inject('kafkaBrokers') };
const previous = previousRelease();
const current = currentRelease();
const known = (all: readonly Situation[]) =>
  all.filter(({ name }) => keptRelease().situations.includes(name));
const situations = known(liveSituations);

interface Start {
  readonly world: RunWorld;
  readonly callsBefore: readonly Call[];
  /** The runs that are open by now, by the name of their situation. */
  readonly open: Readonly<Record<string, string>>;
}

const starts: Record<string, () => Promise<Start>> = {
  'an empty database': async () => ({
    world: await openReleaseWorld(servers, previous, current),
    callsBefore: [],
    open: {},
  }),
  'the previous release’s database': async () => {
    const world = await restoreWorld(servers, previous, current);
    return { world, callsBefore: world.kept.calls, open: world.kept.runIds };
  },
};

describe.each(Object.keys(starts))('on %s', (name) => {
  let start: Start;
  let stage: Stage;
  let stack: ReleaseStack;
  const ended: Situation[] = [];

  beforeAll(async () => {
    start = await starts[name]!();
    stage = await openStage(start.world, { seconds: 1.5, callsBefore: start.callsBefore });
    stack = await startReleaseStack(start.world, previous, current);
  });
  afterEach(() => expect(stack.newComplaints()).toEqual([]));
  afterAll(async () => {
    await Promise.all([stage?.close(), stack?.close()]);
    await start?.world.close();
  });

  const beginAll = () =>
    Promise.all(situations.map(async (situation) => [situation, await begin(stage, situation)] as const));
  const endAll = async (begun: readonly (readonly [Situation, string])[]): Promise<Played[]> => {
    const played = await Promise.all(begun.map(([situation, runId]) => end(stage, situation, runId)));
    ended.push(...begun.map(([situation]) => situation));
    return played;
  };
  const allExpected = situations.map(expected);

  test('both side by side end what is open', async () => {
    const open = known(keptSituations).filter((situation) => start.open[situation.name] !== undefined);
    const played = await endAll(open.map((situation) => [situation, start.open[situation.name]!]));
    expect(played).toEqual(open.map(expected));
  });

  test('both side by side run every kind of run, each what the other has begun', async () => {
    expect(await endAll(await beginAll())).toEqual(allExpected);
  });

  test('the previous release ends what this one has begun', async () => {
    await stack.serve(current);
    const begun = await beginAll();
    await stack.serve(previous);
    expect(await endAll(begun)).toEqual(allExpected);
  });

  test('the previous release, deployed again, runs every kind of run', async () => {
    expect(await migrateAs(previous, start.world.variables)).toEqual([]);
    await stack.serve(previous);
    expect(await endAll(await beginAll())).toEqual(allExpected);
  });

  test('this release, deployed after that, ends what the previous one has begun', async () => {
    await stack.serve(previous);
    const begun = await beginAll();
    expect(await migrateAs(current, start.world.variables)).toEqual([]);
    await stack.serve(current);
    expect(await endAll(begun)).toEqual(allExpected);
  });

  test('no agent was called twice for an attempt, and the counters have counted both', async () => {
    expectEachCalledOnce(stage.calls);
    await expectAllEnded(start.world, ended);
  });
});
