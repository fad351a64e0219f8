import { describe, expect, it } from 'vitest';
import { NO_ATTEMPTS } from '../../../shared/application/attempt-query.ts';
import { codeOf } from '../../../shared/application/error-policy.ts';
import type { Changes, RunReads, RunSaves, RunStore } from '../../../shared/application/ports/run-store.ts';
import type { WarmRun } from '../../../shared/application/warm-runs.ts';
import type { EngineEvent } from '../../../shared/engine/event.ts';
import { EVERYTHING } from '../../../shared/engine/known.ts';
import { type Attempt, isOpenAttempt, type Run, type RunStatus } from '../../../shared/engine/state.ts';
import { simulate } from '../simulate.ts';
import type { Faults } from '../world.ts';
import { beginLanguage } from './begin.ts';
import type { Liberties } from './families.ts';

/* What the simulation is for, it finds: a store that does one thing wrong, some seed tells. */

type Both = RunReads & RunSaves;
type Fault = (store: Both) => Partial<Both>;

const FAULTS: readonly [what: string, fault: Fault, found: RegExp, liberties?: Liberties][] = [
  [
    'loses what is to be published',
    (tx) => ({
      save: (changes, outbox, agents) =>
        tx.save(changes, { ...outbox, messages: outbox.messages.slice(1) }, agents),
    }),
    /I5: .* its agent is not asked/,
  ],
  [
    'loses what is to be told',
    (tx) => ({
      save: (changes, outbox, agents) =>
        tx.save(changes, { ...outbox, messages: outbox.messages.slice(0, -1) }, agents),
    }),
    /goes from \d+ to \d+ by/,
  ],
  [
    'does not see that a run is paused',
    (tx) => ({
      loadRuns: readingRuns(tx, (run) => ({ ...run, pausedAt: null })),
    }),
    /I1: still moving|the paused run|is PAUSED/,
  ],
  [
    'forgets that a run has ended',
    (tx) => ({
      loadRuns: readingRuns(tx, (run) => (run.status === 'CANCELLED' ? { ...run, status: 'RUNNING' } : run)),
      save: async (changes, ...rest) => {
        const runIds = changes.changed.map(({ run }) => run.runId);
        const { runs } = await tx.loadRuns({ runIds, woken: [], attempts: NO_ATTEMPTS });
        const statusOf = new Map(runs.map(({ run }) => [run.runId, run.status]));
        const changed = changes.changed.map((row) => ({
          ...row,
          statusWas: statusOf.get(row.run.runId) ?? row.statusWas,
        }));
        return tx.save({ ...changes, changed }, ...rest);
      },
    }),
    /I4/,
  ],
  [
    'counts each child twice',
    (tx) => ({
      save: (changes, ...rest) =>
        tx.save(
          {
            ...changes,
            joins: changes.joins.map((change) => ({
              ...change,
              join: {
                ...change.join,
                completed: change.join.completed + (change.join.completed - (change.before?.completed ?? 0)),
              },
            })),
          },
          ...rest,
        ),
    }),
    /counts/,
  ],
  [
    'leaves open what is cancelled inside a join',
    (tx) => ({
      loadAttempts: async (query) => tx.loadAttempts({ ...query, openWithin: [] }),
    }),
    /open attempts/,
  ],
  [
    'keeps no variables',
    (tx) => ({ save: (changes, ...rest) => tx.save({ ...changes, data: [] }, ...rest) }),
    /I6|I1/,
  ],
  [
    'gives attempts no time to wake',
    (tx) => ({
      save: (changes, ...rest) =>
        tx.save(
          {
            ...changes,
            opened: changes.opened.map((row) =>
              isOpenAttempt(row.attempt) ? { ...row, attempt: { ...row.attempt, wakeAt: null } } : row,
            ),
          },
          ...rest,
        ),
    }),
    /I7|I5/,
  ],
  [
    'counts the policies of a list together',
    (tx) => ({
      loadRuns: async (query) => {
        const { runs, attempts: found } = await tx.loadRuns(query);
        const forgetting = (attempt: Attempt) => ({ ...attempt, policyRetries: null });
        return {
          runs,
          attempts: new Map([...found].map(([runId, attempts]) => [runId, attempts.map(forgetting)])),
        };
      },
    }),
    /I6/,
    // Agents that fail now so, now so: only where nobody cancels and retries is what they come to told beforehand.
    { mayCommand: false, mayRace: false },
  ],
];

function readingRuns(store: Both, seen: (run: Run) => Run): Both['loadRuns'] {
  return async (query) => {
    const { runs, attempts } = await store.loadRuns(query);
    return { runs: runs.map((row) => ({ ...row, run: seen(row.run) })), attempts };
  };
}

/** A record is dropped whose run went on meanwhile. */
class Dropped extends Error {
  readonly code = 'DATABASE_UNAVAILABLE';
}

/** Who asks what is in it, is told that nothing is. */
class Untold extends Map<string, WarmRun> {
  override keys() {
    return new Map<string, WarmRun>().keys();
  }
}

const ENVIRONMENTS: readonly [what: string, faults: Faults, found: RegExp, liberties?: Liberties][] = [
  [
    'saves whatever its runs have come to since they were read',
    {
      store: (store, { runs }) => {
        const was = (runId: string) => runs.get(runId)?.run.sequence as number;
        const statusWas = (runId: string) => runs.get(runId)?.run.status as RunStatus;
        return saving(store, ({ advanced, changed, ...changes }) => ({
          ...changes,
          advanced: advanced.map((row) => ({ ...row, was: was(row.runId) })),
          changed: changed.map((row) => ({
            ...row,
            was: was(row.run.runId),
            statusWas: statusWas(row.run.runId),
          })),
        }));
      },
    },
    /goes from|I6/,
  ],
  [
    'saves whether or not a workflow was paused meanwhile',
    {
      store: (store) =>
        saving(store, ({ changed, ...changes }) => ({
          ...changes,
          changed: changed.map((row) => ({ ...row, workflowWasPaused: null })),
        })),
    },
    /its workflow is paused/,
  ],
  [
    'refuses by a state that it has kept',
    { warm: (take) => (items) => new Untold(take(items)) },
    /is refused, and the run is not read/,
  ],
  [
    'wakes what it has kept',
    {
      warm: (take) => (items) =>
        take(items.map((item) => (item.event.type === 'woken' ? { ...item, event: ANSWERED } : item))),
    },
    /Warm, .* has the attempt/,
    { mayCommand: true, mayRace: true },
  ],
  [
    'takes for none what it has not kept',
    {
      warm: (take) => (items) =>
        new Map(
          [...take(items)].map(([id, run]) => [id, { ...run, state: { ...run.state, known: EVERYTHING } }]),
        ),
    },
    /Warm, .* (knows nothing|has)/,
  ],
  [
    'removes what nobody has acknowledged',
    { outbox: (outbox) => ({ ...outbox, settle: (rows) => outbox.remove(rows.map(({ id }) => id)) }) },
    /I5: committed and never published/,
  ],
  [
    'drops the records of runs that went on meanwhile',
    {
      store: (store) => ({
        ...store,
        save: (...args) =>
          store.save(...args).catch((error: unknown) => {
            throw codeOf(error) === 'RUNS_MOVED_ON' ? new Dropped() : error;
          }),
      }),
      decide: (processBatch) => async (items) => {
        try {
          return await processBatch(items);
        } catch (error) {
          if (!(error instanceof Dropped)) throw error;
          return items.map(() => ({ outcome: 'decided', status: 'RUNNING' }));
        }
      },
    },
    /is said to be decided, and nothing is saved/,
  ],
];

const ANSWERED: EngineEvent = { type: 'step_requested', stepExecutionId: '' };

function saving(store: RunStore, seen: (changes: Changes) => Changes): RunStore {
  const saves =
    ({ save }: RunSaves): RunSaves['save'] =>
    (changes, ...rest) =>
      save(seen(changes), ...rest);
  return {
    ...store,
    save: saves(store),
    underLock: (runIds, work) =>
      store.underLock(runIds, (locked) => work({ ...locked, save: saves(locked) })),
  };
}

async function foundIn(liberties: Liberties, faults: Faults): Promise<string | undefined> {
  const failures: string[] = [];
  for (let seed = 1; seed <= 400 && failures.length === 0; seed++) {
    // What has lost its counter loops for good, and the longer the dearer.
    const simulated = simulate(seed, (random) => beginLanguage(random, liberties, faults), 1_000);
    await simulated.catch((error: Error) => failures.push(error.message));
  }
  return failures[0];
}

const LIBERTIES: Liberties = { mayCommand: true, mayRace: false };

describe('a store that', () => {
  it.each<(typeof FAULTS)[number]>(FAULTS)(
    '%s is found out',
    async (_what, fault, found, liberties = LIBERTIES) => {
      const disguised = (store: RunStore): RunStore => ({
        ...store,
        ...fault(store),
        underLock: (runIds, work) =>
          store.underLock(runIds, (locked) => work({ ...locked, ...fault(locked) })),
      });
      expect(await foundIn(liberties, { store: disguised })).toMatch(found);
    },
  );
});

describe('an environment that', () => {
  it.each<(typeof ENVIRONMENTS)[number]>(ENVIRONMENTS)(
    '%s is found out',
    async (_what, faults, found, liberties = LIBERTIES) => {
      expect(await foundIn(liberties, faults)).toMatch(found);
    },
  );
});
