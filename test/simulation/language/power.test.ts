import { describe, expect, it } from 'vitest';
import type { RunStore, RunTransaction } from '../../../shared/application/ports.ts';
import { type Attempt, isOpenAttempt } from '../../../shared/engine/state.ts';
import { simulate } from '../simulate.ts';
import { beginLanguage } from './begin.ts';
import type { Liberties } from './families.ts';

/* What the simulation is for, it finds: a store that does one thing wrong, some seed tells. */

type Fault = (transaction: RunTransaction) => Partial<RunTransaction>;

const FAULTS: readonly [what: string, fault: Fault, found: RegExp, liberties?: Liberties][] = [
  [
    'loses what is to be published',
    (tx) => ({
      save: (changes, outbox) => tx.save(changes, { ...outbox, messages: outbox.messages.slice(1) }),
    }),
    /goes from \d+ to \d+ by/,
  ],
  [
    'does not see that a run is paused',
    (tx) => ({
      lockRuns: async (...runs) =>
        (await tx.lockRuns(...runs)).map((row) => ({ ...row, run: { ...row.run, pausedAt: null } })),
    }),
    /I1: still moving|the paused run|is PAUSED/,
  ],
  [
    'forgets that a run has ended',
    (tx) => ({
      lockRuns: async (...runs) =>
        (await tx.lockRuns(...runs)).map((row) => ({
          ...row,
          run: row.run.status === 'CANCELLED' ? { ...row.run, status: 'RUNNING' as const } : row.run,
        })),
    }),
    /I4/,
  ],
  [
    'counts each child twice',
    (tx) => ({
      save: (changes, outbox) =>
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
          outbox,
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
    (tx) => ({ save: (changes, outbox) => tx.save({ ...changes, data: [] }, outbox) }),
    /I6|I1/,
  ],
  [
    'gives attempts no time to wake',
    (tx) => ({
      save: (changes, outbox) =>
        tx.save(
          {
            ...changes,
            opened: changes.opened.map((row) =>
              isOpenAttempt(row.attempt) ? { ...row, attempt: { ...row.attempt, wakeAt: null } } : row,
            ),
          },
          outbox,
        ),
    }),
    /I7|I5/,
  ],
  [
    'counts the policies of a list together',
    (tx) => ({
      loadAttempts: async (query) => {
        const found = await tx.loadAttempts(query);
        const forgetting = (attempt: Attempt) => ({ ...attempt, policyRetries: null });
        return new Map([...found].map(([runId, attempts]) => [runId, attempts.map(forgetting)]));
      },
    }),
    /I6/,
    // Agents that fail now so, now so: only where nobody cancels and retries is what they come to told beforehand.
    { mayCommand: false, mayRace: false },
  ],
];

describe('a store that', () => {
  it.each<(typeof FAULTS)[number]>(FAULTS)(
    '%s is found out',
    async (_what, fault, found, liberties = { mayCommand: true, mayRace: false }) => {
      const disguise = (store: RunStore): RunStore => ({
        transaction: (work) => store.transaction((tx) => work({ ...tx, ...fault(tx) })),
      });
      const failures: string[] = [];
      for (let seed = 1; seed <= 400 && failures.length === 0; seed++) {
        // What has lost its counter loops for good, and the longer the dearer.
        const simulated = simulate(seed, (random) => beginLanguage(random, liberties, disguise), 1_000);
        await simulated.catch((error: Error) => failures.push(error.message));
      }
      expect(failures[0]).toMatch(found);
    },
  );
});
