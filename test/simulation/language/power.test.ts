import { describe, expect, it } from 'vitest';
import type { RunReads, RunSaves, RunStore } from '../../../shared/application/ports.ts';
import { type Attempt, isOpenAttempt, type Run } from '../../../shared/engine/state.ts';
import { simulate } from '../simulate.ts';
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

describe('a store that', () => {
  it.each<(typeof FAULTS)[number]>(FAULTS)(
    '%s is found out',
    async (_what, fault, found, liberties = { mayCommand: true, mayRace: false }) => {
      const disguised = (store: RunStore): RunStore => ({
        ...store,
        ...fault(store),
        underLock: (runIds, work) =>
          store.underLock(runIds, (locked) => work({ ...locked, ...fault(locked) })),
      });
      const failures: string[] = [];
      for (let seed = 1; seed <= 400 && failures.length === 0; seed++) {
        // What has lost its counter loops for good, and the longer the dearer.
        const simulated = simulate(
          seed,
          (random) => beginLanguage(random, liberties, { store: disguised }),
          1_000,
        );
        await simulated.catch((error: Error) => failures.push(error.message));
      }
      expect(failures[0]).toMatch(found);
    },
  );
});
