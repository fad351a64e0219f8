import { afterAll, afterEach, beforeAll, expect, inject, test } from 'vitest';
import { appendRecords } from './kafka-log.ts';
import { keptRelease } from './kept-release.ts';
import { begin, end, expected } from './play.ts';
import { currentRelease, previousRelease } from './release.ts';
import { expectAllEnded, expectEachCalledOnce } from './release-checks.ts';
import { type ReleaseStack, startReleaseStack } from './release-stack.ts';
import { type RestoredWorld, restoreWorld } from './release-world.ts';
import { keptSituations } from './situations/all-situations.ts';
import { containers } from './situations/containers.ts';
import type { Situation } from './situations/situation.ts';
import { openStage, type Stage } from './stage.ts';

/*
 * What the previous release has left in Postgres and in Kafka, and this tree's functions: they end what it had begun, and what it had
 * done is not done again.
 */

const known = keptSituations.filter(({ name }) => keptRelease().situations.includes(name));
let world: RestoredWorld;
let stack: ReleaseStack;
let stage: Stage;

beforeAll(async () => {
  const current = currentRelease();
  const servers = { databaseUrl: inject('databaseUrl'), kafkaBrokers: inject('kafkaBrokers') };
  world = await restoreWorld(servers, previousRelease(), current);
  // Before anything serves: calls may come at once.
  stage = await openStage(world, { seconds: 0.5, callsBefore: world.kept.calls });
  stack = await startReleaseStack(world, current);
});
afterEach(() => expect(stack.newComplaints()).toEqual([]));
afterAll(async () => {
  await Promise.all([stage?.close(), stack?.close()]);
  await world?.close();
});

const idOf = ({ name }: Situation) => world.kept.runIds[name] ?? '';
const rows = () =>
  world.database.many(
    `select run_id, r.status, r.sequence, s.step_execution_id, s.status as step_status
       from workflow_runs r left join step_executions s using (run_id)
      where run_id = any($1) or parent_run_id = any($1) order by run_id, s.step_execution_id`,
    [Object.values(world.kept.runIds)],
  );

test('every kind of run was there', () => {
  expect(known.map(({ name }) => name)).toEqual(keptRelease().situations);
  expect(known.map(idOf).filter((id) => id === '')).toEqual([]);
});

test.for(known.map((situation) => [situation.name, situation] as const))(
  'a run that %s comes to its end',
  async ([, situation]) => {
    expect(await end(stage, situation, idOf(situation))).toEqual(expected(situation));
  },
);

test('no agent was called again, and the counters have counted both releases', async () => {
  expectEachCalledOnce(stage.calls);
  await expectAllEnded(world, known);
});

test.for(known.map((situation) => [situation.name, situation] as const))(
  'each face shows the run that %s',
  async ([, situation]) => {
    const runId = idOf(situation);
    const { status } = situation.outcome;
    const bare = runId.replace('run-', '');
    const faces = [
      [`/api/v1/runs/${runId}`, { data: { run_id: runId, ...situation.outcome } }],
      [`/api/v1/workflows/executions/${bare}`, { data: { status: status.toLowerCase() } }],
      [`/api/workflows/executions/${bare}`, { status: status.toLowerCase() }],
    ] as const;
    for (const [path, body] of faces)
      expect(await world.client.send('GET', path)).toMatchObject({ status: 200, body });
  },
);

test('all of its records delivered once more change nothing', async () => {
  const before = await rows();
  await appendRecords(world.environment.kafkaBrokers, world.kept.topics);
  // Behind them in each topic: where this has ended, they have been dealt with.
  for (const situation of containers) {
    const runId = await begin(stage, situation);
    expect(await end(stage, situation, runId)).toEqual(expected(situation));
  }
  expect(await rows()).toEqual(before);
  await expectAllEnded(world, [...known, ...containers]);
  expectEachCalledOnce(stage.calls);
});
