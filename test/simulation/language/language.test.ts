import { describe, expect, it } from 'vitest';
import { seedToReplay } from '../../support/random.ts';
import { type Simulation, simulate } from '../simulate.ts';
import { beginLanguage } from './begin.ts';
import type { Liberties } from './families.ts';

/*
 * Random workflows of all step types (engine/arbitraries.ts), through the real batches, commands and messages, among faults.
 * `SEED=7` runs one again, with what happened in it; `SEEDS=20000` runs so many of each kind.
 */

const SEEDS = Number(process.env.SEEDS ?? 320);
const GROUPS = 8;

const KINDS: readonly (readonly [string, Liberties])[] = [
  ['paused and signalled', { mayCommand: false, mayRace: false }],
  ['cancelled and retried too', { mayCommand: true, mayRace: false }],
  ['whatever users do and clocks decide', { mayCommand: true, mayRace: true }],
];

const replayed = seedToReplay();
const met = new Map<string, number>();

describe.each(KINDS)('runs of every type of step, %s', (_kind, liberties) => {
  const simulated = (seed: number) => simulate(seed, (random) => beginLanguage(random, liberties));

  if (replayed !== null) {
    it(`SEED=${replayed}`, async () => {
      const { world } = await simulated(replayed);
      for (const { at, what } of world.trace) process.stdout.write(`${new Date(at).toISOString()} ${what}\n`);
    });
    return;
  }

  it.each(Array.from({ length: GROUPS }, (_, i) => i))('group %i', async (group) => {
    for (let seed = group + 1; seed <= SEEDS; seed += GROUPS) count(await simulated(seed));
  });
});

if (replayed === null) {
  describe('the seeds', () => {
    it('have met every kind of fault, refusal, step and end', () => {
      const rare = EXPECTED.filter((what) => (met.get(what) ?? 0) < 5);
      expect(rare).toEqual([]);
    });
  });
}

const TYPES = ['agent', 'choice', 'parallel', 'map', 'wait', 'signal', 'workflow', 'pass', 'succeed', 'fail'];

const EXPECTED = [
  ...[
    'others come between',
    'run moved on',
    'some runs of a batch moved on',
    'decided again and saved',
    'locked',
  ],
  ...['warm state', 'warm state that is stale', 'published once more', 'workflow paused or resumed'],
  ...['batch of several runs', 'batch with several records of a run', 'accepted', 'republished', 'paused'],
  ...['commit', 'publish', 'half-published', 'remove', 'published', 'offsets'].map((at) => `died at ${at}`),
  ...['agent_result', 'agent_task', 'execution_request', 'step_request', 'wake'].map(
    (type) => `lost: ${type}`,
  ),
  ...['RUN_CLOSED', 'ALREADY_STARTED', 'ATTEMPT_CLOSED', 'ATTEMPT_STARTED', 'NOT_DUE'].map(refused),
  ...['CANCELLATION_OUTDATED', 'RUN_PAUSED'].map(refused),
  ...TYPES.flatMap((type) => [`${type} ${type === 'fail' ? 'FAILED' : 'COMPLETED'}`]),
  ...['agent', 'parallel', 'map', 'workflow', 'signal', 'wait'].map((type) => `${type} CANCELLED`),
  ...['agent', 'choice', 'parallel', 'map', 'workflow', 'signal'].map((type) => `${type} FAILED`),
  ...['agent', 'parallel', 'map', 'workflow', 'signal'].map((type) => `${type} tried again`),
  ...['COMPLETED', 'BUSY', 'TIMEOUT', 'EXPRESSION_ERROR', 'DATA_LIMIT', 'F0'].map(
    (end) => `expected: ${end}`,
  ),
  ...['NO_CHOICE_MATCHED', 'WORKFLOW_NOT_FOUND'].map((end) => `expected: ${end}`),
  ...['TIMEOUT', 'HEARTBEAT_TIMEOUT', 'STEP_LIMIT', 'CANCELLED'].map((code) => `error: ${code}`),
  ...['top-level run CANCELLED', 'child run CANCELLED', 'child run retried', 'run retried', 'step of a loop'],
  ...['step in an item', 'step in a join in a join', 'signal taken early', 'error caught'],
];

function refused(code: string): string {
  return `refused: ${code}`;
}

function count({ world }: Simulation): void {
  const add = (what: string, times = 1) => met.set(what, (met.get(what) ?? 0) + times);
  for (const [what, times] of world.met) add(what, times);
  const { store } = world;
  for (const { run } of store.runs.values()) {
    const kind = run.depth === 0 ? 'top-level run' : 'child run';
    add(`${kind} ${run.status}`);
    if (run.retriedAt !== null) add(run.depth === 0 ? 'run retried' : 'child run retried');
  }
  for (const { stepType, attempt } of store.attempts.values()) {
    const { status, scope, visit, policyAttempt, error } = attempt;
    add(`${stepType} ${status}`);
    if (policyAttempt > 1) add(`${stepType} tried again`);
    if (visit > 1) add('step of a loop');
    if (error) add(`error: ${error.code}`);
    if (attempt.republishedAt !== null) add('republished');
    const joins = scope.split('#').length - 1;
    if (joins > 0) add('step in an item');
    if (joins > 1) add('step in a join in a join');
  }
  for (const { error } of store.data.values()) if (error !== null) add('error caught');
  for (const { signal } of store.signals.values()) {
    const taker = signal.takenBy === null ? undefined : store.attempts.get(signal.takenBy)?.attempt;
    if (taker && (taker.startedAt ?? 0) > signal.receivedAt) add('signal taken early');
  }
  if (world.trace.some(({ what }) => what.startsWith('pause'))) add('paused');
}
