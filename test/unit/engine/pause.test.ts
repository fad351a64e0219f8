import { describe, expect, it } from 'vitest';
import { decide } from '../../../shared/engine/decide.ts';
import type { Decision } from '../../../shared/engine/decision.ts';
import type { EngineEvent } from '../../../shared/engine/event.ts';
import type { Pauser, Run } from '../../../shared/engine/state.ts';
import {
  attempt,
  draws,
  failedRun,
  pendingRun,
  pipelinePlan,
  requestedAttempt,
  run,
  stateOf,
  T0,
} from '../../support/engine-states.ts';
import { tell } from '../../support/tell-decision.ts';

/** Who holds it, and since when in seconds; or the refusal. */
function heldBy(decision: Decision): string {
  if (!decision.ok) return decision.code;
  const { heldBy, pausedAt } = decision.state.run;
  if (pausedAt === null) return heldBy === null ? 'goes on' : `goes on, held by ${heldBy}`;
  return `${heldBy} since ${(pausedAt - T0) / 1_000}`;
}

const SINCE = -2;
const holders = { neither: null, run: 'run', workflow: 'workflow', both: 'both' } as const;
const runHeldBy = (holder: keyof typeof holders | 'untold'): Run => {
  if (holder === 'neither') return run();
  const pausedAt = T0 + SINCE * 1_000;
  return run({ pausedAt, heldBy: holder === 'untold' ? null : holders[holder] });
};

const table: Record<keyof typeof holders | 'untold', readonly [string, string, string, string]> = {
  //         paused, run        paused, workflow   resumed, run      resumed, workflow
  neither: ['run since 0', 'workflow since 0', 'RUN_NOT_PAUSED', 'RUN_NOT_PAUSED'],
  run: ['RUN_PAUSED', 'both since -2', 'goes on', 'RUN_NOT_PAUSED'],
  workflow: ['both since -2', 'RUN_PAUSED', 'RUN_NOT_PAUSED', 'goes on'],
  both: ['RUN_PAUSED', 'RUN_PAUSED', 'workflow since -2', 'run since -2'],
  // As an earlier version paused it: any resume lets it go.
  untold: ['RUN_PAUSED', 'RUN_PAUSED', 'goes on', 'goes on'],
};
const asked = (['pause_requested', 'resume_requested'] as const).flatMap((type) =>
  (['run', 'workflow'] as const).map((by: Pauser) => ({ type, by })),
);
const cases = Object.entries(table).flatMap(([holder, row]) =>
  asked.map((event, i) => ({ holder: holder as keyof typeof table, event, expected: row[i] })),
);

const decided = (before: Run, event: EngineEvent, attempts = [requestedAttempt]) =>
  decide(pipelinePlan(), stateOf(before, attempts), event, T0, draws());

describe('a run held by', () => {
  it.each(cases)('$holder × $event.type of the $event.by → $expected', ({ holder, event, expected }) => {
    expect(heldBy(decided(runHeldBy(holder), event))).toBe(expected);
  });

  it('both stays as it is when one lets go, and goes on when the other does', () => {
    const first = decided(runHeldBy('both'), { type: 'resume_requested', by: 'workflow' });
    expect(tell(first)).toBe('RUNNING paused | extract#1 PENDING | update PAUSED');
    if (!first.ok) throw new Error(first.code);
    const second = decided(first.state.run, { type: 'resume_requested' });
    expect(tell(second)).toBe('RUNNING | extract#1 PENDING | update RUNNING, request a-1');
  });

  it('both is held by nothing when it is cancelled', () => {
    const cancelled = decided(runHeldBy('both'), { type: 'cancellation_requested', by: null, reason: null });
    expect(heldBy(cancelled)).toBe('goes on');
  });
});

describe('a run that begins', () => {
  const begun = (given: Partial<Run>, event: EngineEvent = { type: 'execution_requested' }) =>
    decide(pipelinePlan(), stateOf({ ...pendingRun, ...given }), event, T0, draws());
  const pausedAt = T0 - 2_000;
  const woken: EngineEvent = { type: 'woken', stepExecutionId: null, at: T0 };
  const START =
    'RUNNING | extract#1 RUNNING | update RUNNING, update RUNNING extract RUNNING, task extract#1';
  const HELD = 'PENDING paused |  | update PAUSED';

  it.each<[string, Partial<Run>, string, string]>([
    ['was paused meanwhile', { isWorkflowPaused: true }, HELD, 'workflow since 0'],
    ['is paused', { pausedAt, heldBy: 'workflow', isWorkflowPaused: true }, 'RUN_PAUSED', 'RUN_PAUSED'],
    ['was resumed meanwhile', { pausedAt, heldBy: 'workflow' }, START, 'goes on'],
    ['was resumed, and it is paused itself', { pausedAt, heldBy: 'both' }, HELD, 'run since -2'],
    [
      'was paused, and it is paused itself',
      { pausedAt, heldBy: 'run', isWorkflowPaused: true },
      HELD,
      'both since -2',
    ],
    ['is not paused, and it is paused itself', { pausedAt, heldBy: 'run' }, 'RUN_PAUSED', 'RUN_PAUSED'],
    ['did not tell', { pausedAt, heldBy: null, isWorkflowPaused: true }, 'RUN_PAUSED', 'RUN_PAUSED'],
    ['did not tell, and is resumed', { pausedAt, heldBy: null }, 'RUN_PAUSED', 'RUN_PAUSED'],
  ])('is held as its workflow is: that %s', (_, given, expected, holder) => {
    for (const event of [{ type: 'execution_requested' } as const, woken]) {
      expect(tell(begun(given, event))).toBe(expected);
      expect(heldBy(begun(given, event))).toBe(holder);
    }
  });

  it('anew while its workflow is paused is held, and what it is to do is asked for at the resume', () => {
    const failed = stateOf({ ...failedRun, isWorkflowPaused: true }, [
      attempt({ status: 'FAILED', completedAt: T0 - 1_000, wakeAt: null }),
    ]);
    const retried = decide(pipelinePlan(), failed, { type: 'retry_requested' }, T0, draws());
    expect(tell(retried)).toBe(
      'RUNNING paused | extract#1 FAILED, extract#2 PENDING | update PAUSED, update PAUSED extract PENDING',
    );
    expect(heldBy(retried)).toBe('workflow since 0');
    if (!retried.ok) throw new Error(retried.code);
    const resumed = decide(
      pipelinePlan(),
      retried.state,
      { type: 'resume_requested', by: 'workflow' },
      T0,
      draws(),
    );
    expect(tell(resumed)).toContain('update RUNNING, request n-1');
  });
});
