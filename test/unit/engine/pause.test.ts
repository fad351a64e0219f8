import { describe, expect, it } from 'vitest';
import { decide, joinsOf, needsOf } from '../../../shared/engine/decide.ts';
import type { Decision } from '../../../shared/engine/effects.ts';
import type { AgentOutcome, EngineEvent } from '../../../shared/engine/event.ts';
import type { Pauser, Run, State } from '../../../shared/engine/state.ts';
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

describe('what a paused run comes to', () => {
  const plan = pipelinePlan();
  const last = attempt({ stepId: 'transform' });
  const paused = run({
    pausedAt: T0 - 2_000,
    heldBy: 'run',
    parent: { runId: 'run-0', stepExecutionId: 'p-1' },
  });
  const answered = (outcome: AgentOutcome): EngineEvent => ({
    type: 'agent_answered',
    stepExecutionId: 'a-1',
    attempt: null,
    logs: null,
    outcome,
  });
  const fails: AgentOutcome = { status: 'failed', error: { code: 'BAD', message: 'no', retryable: false } };
  const resume: EngineEvent = { type: 'resume_requested' };
  const held = (event: EngineEvent): State => {
    const settled = decide(plan, stateOf(paused, [last]), event, T0, draws());
    if (!settled.ok) throw new Error(settled.code);
    return settled.state;
  };
  const FAILED = 'FAILED | transform#1 FAILED | update RUNNING, update FAILED, answer run-0 BAD';

  it.each<[string, AgentOutcome, string, string]>([
    [
      'completes with its last step',
      { status: 'completed', output: { n: 1 } },
      'RUNNING paused | transform#1 COMPLETED',
      'COMPLETED | transform#1 COMPLETED | update RUNNING, update COMPLETED, answer run-0 with an output',
    ],
    ['fails with it', fails, 'RUNNING paused | transform#1 FAILED', FAILED],
  ])('takes effect on resume: it %s', (_, outcome, expected, ended) => {
    const state = held(answered(outcome));
    expect(tell({ ok: true, state, effects: [] })).toBe(`${expected} | `);
    expect(tell(decide(plan, state, resume, T0 + 1_000, draws()))).toBe(ended);
    // Where its last step alone is known of its steps, and what that came to.
    expect(joinsOf(plan, state, resume)).toEqual([]);
    const outputs = outcome.status === 'completed' ? [{ scope: '', stepId: 'transform' }] : [];
    expect(needsOf(plan, state, resume).outputs).toEqual(outputs);
  });

  it('is its error and its output', () => {
    const failed = decide(plan, held(answered(fails)), resume, T0 + 1_000, draws());
    expect(failed).toMatchObject({
      state: { run: { error: { code: 'BAD', stepId: 'transform', attempt: 1 }, completedAt: T0 + 1_000 } },
    });
    const completed = decide(
      plan,
      held(answered({ status: 'completed', output: { n: 1 } })),
      resume,
      T0 + 1_000,
      draws(),
    );
    expect(completed).toMatchObject({ state: { run: { outputData: { n: 1 }, error: null } } });
  });

  it('comes before a time limit that passed meanwhile', () => {
    const state = held(answered(fails));
    const late = { ...state, run: { ...state.run, timeoutAt: T0 + 500 } };
    expect(tell(decide(plan, late, resume, T0 + 1_000, draws()))).toBe(FAILED);
  });

  it('is nothing where it is cancelled', () => {
    const cancel: EngineEvent = { type: 'cancellation_requested', by: 'ann', reason: null };
    expect(decide(plan, held(answered(fails)), cancel, T0, draws())).toMatchObject({
      state: { run: { status: 'CANCELLED', error: null } },
    });
  });

  it('waits for the other pause too', () => {
    const state = held(answered(fails));
    const both = { ...state, run: { ...state.run, heldBy: 'both' } as const };
    const first = decide(plan, both, resume, T0, draws());
    expect(tell(first)).toBe('RUNNING paused | transform#1 FAILED | update PAUSED');
    if (!first.ok) throw new Error(first.code);
    expect(tell(decide(plan, first.state, { ...resume, by: 'workflow' }, T0, draws()))).toBe(FAILED);
  });

  it('is nothing of ours where another producer wrote no step, or none that ends it', () => {
    const done = attempt({ status: 'COMPLETED', completedAt: T0 - 1_000, wakeAt: null });
    expect(tell(decide(plan, stateOf(paused), resume, T0, draws()))).toBe('RUNNING |  | update RUNNING');
    expect(tell(decide(plan, stateOf(paused, [done]), resume, T0, draws()))).toBe(
      'RUNNING | extract#1 COMPLETED | update RUNNING',
    );
    const broken = { ...done, status: 'FAILED' } as const;
    expect(tell(decide(plan, stateOf(paused, [broken]), resume, T0, draws()))).toBe(
      'RUNNING | extract#1 FAILED | update RUNNING',
    );
  });
});

describe('I7: a run that is woken is held as its workflow is', () => {
  const woken: EngineEvent = { type: 'woken', stepExecutionId: null, at: T0 };
  const look = (given: Partial<Run>) => decided(run(given), woken);
  const pausedAt = T0 - 2_000;

  it.each<[string, Partial<Run>, string]>([
    [
      'held, and its workflow is paused no more',
      { pausedAt, heldBy: 'workflow', isWorkflowPaused: false },
      'goes on',
    ],
    [
      'held by both, and its workflow is paused no more',
      { pausedAt, heldBy: 'both', isWorkflowPaused: false },
      'run since -2',
    ],
    ['not held, and its workflow is paused', { isWorkflowPaused: true }, 'workflow since 0'],
    [
      'paused itself, and so is its workflow',
      { pausedAt, heldBy: 'run', isWorkflowPaused: true },
      'both since -2',
    ],
    ['held as it is', { pausedAt, heldBy: 'workflow', isWorkflowPaused: true }, 'RUN_PAUSED'],
    [
      'paused itself, and its workflow is not',
      { pausedAt, heldBy: 'run', isWorkflowPaused: false },
      'RUN_PAUSED',
    ],
    ['not held, and its workflow is not paused', { isWorkflowPaused: false }, 'NOT_DUE'],
    [
      'held, and nobody has looked at its workflow',
      { pausedAt, heldBy: 'workflow', isWorkflowPaused: null },
      'RUN_PAUSED',
    ],
    ['held by it is not known what', { pausedAt, heldBy: null, isWorkflowPaused: false }, 'RUN_PAUSED'],
  ])('%s', (_, given, expected) => {
    expect(heldBy(look(given))).toBe(expected);
  });

  it('and what was held is asked for', () => {
    expect(tell(look({ pausedAt, heldBy: 'workflow', isWorkflowPaused: false }))).toBe(
      'RUNNING | extract#1 PENDING | update RUNNING, request a-1',
    );
  });
});
