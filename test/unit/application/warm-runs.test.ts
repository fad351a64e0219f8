import { describe, expect, it } from 'vitest';
import type { BatchItem } from '../../../shared/application/batch.ts';
import type { DecidedRun } from '../../../shared/application/changes-of.ts';
import { WarmRuns } from '../../../shared/application/warm-runs.ts';
import type { Json } from '../../../shared/engine/json.ts';
import { EVERYTHING } from '../../../shared/engine/known.ts';
import type { Attempt, State } from '../../../shared/engine/state.ts';
import { auditEntry } from '../../support/audit-entry.ts';
import { attempt, join, pipelinePlan, RUN_ID, run, stateOf } from '../../support/engine-states.ts';

const open = attempt({ stepExecutionId: 'a-2', inputData: { n: 1 } });
const closed = attempt({ stepExecutionId: 'a-1', status: 'COMPLETED' });

function decided(given: Partial<State> = {}, loaded: State = stateOf(run(), [closed])): DecidedRun {
  const state = { ...stateOf(run({ isWorkflowPaused: false }), [closed, open]), known: EVERYTHING, ...given };
  return {
    stored: { run: loaded.run, versionId: null, owner: 'ann', workflowId: 'wf-a-1' },
    plan: pipelinePlan(),
    versionId: 'v-1',
    loaded,
    state,
    effects: [],
    isByTimes: false,
  };
}

const answer: BatchItem = {
  runId: RUN_ID,
  event: {
    type: 'agent_answered',
    stepExecutionId: 'a-2',
    attempt: null,
    logs: null,
    outcome: { status: 'completed', output: 1 },
  },
};

/** What is kept of it. */
function keptOf(run: DecidedRun) {
  const runs = new WarmRuns();
  runs.keep(run);
  return runs.of([answer]).get(RUN_ID);
}

describe('a warm run', () => {
  it('is as it was saved, with its open attempts and no others', () => {
    const kept = keptOf(decided());
    expect([...(kept?.state.attempts.keys() ?? [])]).toEqual(['a-2']);
    expect(kept?.stored).toMatchObject({ versionId: 'v-1', run: { isWorkflowPaused: null } });
    expect(kept?.state.run).toBe(kept?.stored.run);
  });

  it('knows what it was told of its data, and nothing of what it has not of its branches, signals and children', () => {
    const { known } = keptOf(decided())!.state;
    const whether = (what: Parameters<typeof known.has>[0]) => known.has(what, '');
    expect(
      ['workflowInput', 'variables', 'errors', 'outputs', 'visits'].map((what) => whether(what as 'visits')),
    ).toEqual(Array(5).fill(true));
    expect(
      (
        [
          'attempts',
          'openAttempts',
          'joins',
          'children',
          'gathered',
          'untakenSignals',
          'workflows',
          'lastAtTop',
        ] as const
      ).filter(whether),
    ).toEqual([]);
  });

  describe('in branches', () => {
    const container = attempt({ stepExecutionId: 'c-1', stepId: 'all', inputData: null });
    const branch = (id: string) =>
      attempt({
        stepExecutionId: id,
        stepId: 'one',
        scope: `all#1/${id}`,
        status: 'PENDING',
        inputData: null,
      });
    const opened = join({ path: 'all#1', stepId: 'all', stepExecutionId: 'c-1' });
    const branches = (attempts: Attempt[], joins = [opened]) => ({
      attempts: stateOf(run(), attempts).attempts,
      joins: new Map(joins.map((each) => [each.path, each])),
    });

    it('is kept with all that are under way, and with those of a state that was kept', () => {
      const opened = keptOf(decided(branches([container, branch('x'), branch('y')])))!.state;
      expect([...opened.attempts.keys()]).toEqual(['c-1', 'x', 'y']);
      expect([...opened.joins.keys()]).toEqual(['all#1']);
      const next = keptOf(decided({ ...opened }, opened))!.state;
      expect([...next.attempts.keys()]).toEqual(['c-1', 'x', 'y']);
    });

    it('is not kept where one that is under way was not loaded, or its join, or the step of it', () => {
      expect(keptOf(decided(branches([container, branch('x')])))).toBeUndefined();
      expect(keptOf(decided(branches([container, branch('x'), branch('y')], [])))).toBeUndefined();
      expect(keptOf(decided(branches([branch('x'), branch('y')])))).toBeUndefined();
      const settled = [
        { ...container, status: 'COMPLETED' as const },
        { ...branch('x'), status: 'CANCELLED' as const },
      ];
      expect(keptOf(decided(branches(settled)))?.state.attempts.size).toBe(0);
      const ended = [container, branch('x')];
      expect(keptOf(decided(branches(ended, [{ ...opened, completed: 1 }])))).toBeDefined();
    });
  });

  it('has no attempt of which an input may not have been loaded', () => {
    const partly = attempt({ stepExecutionId: 'a-2', inputData: null });
    const kept = keptOf(decided({ attempts: stateOf(run(), [partly]).attempts }, stateOf(run(), [partly])));
    expect(kept?.state.attempts.size).toBe(0);
  });

  it.each<[string, Partial<State>]>([
    ['has ended', { run: run({ status: 'COMPLETED' }) }],
    ['holds much data', { workflowInput: 'x'.repeat(70_000) }],
    [
      'holds much in little things',
      { outputs: new Map([['\na', Array.from({ length: 9_000 }, () => 1) as Json]]) },
    ],
    [
      'has many open attempts',
      {
        attempts: stateOf(
          run(),
          Array.from({ length: 17 }, (_, i) => attempt({ stepExecutionId: `a-${i}`, inputData: 1 })),
        ).attempts,
      },
    ],
  ])('is not kept where it %s', (_, given) => {
    expect(keptOf(decided(given))).toBeUndefined();
  });

  it('forgets the outputs and visits of a long sequence, and knows that it has', () => {
    const many = Array.from({ length: 17 }, (_, i) => [`\ns${i}`, i] as const);
    const { state } = keptOf(decided({ outputs: new Map(many), visits: new Map(many) }))!;
    expect([state.outputs.size, state.visits.size]).toEqual([0, 0]);
    expect([state.known.has('outputs', '\ns1'), state.known.has('visits', '\ns1')]).toEqual([false, false]);
    const runs = new WarmRuns();
    runs.keep(decided({ ...state, outputs: new Map(many.slice(0, 1)) }));
    expect(runs.of([answer]).get(RUN_ID)?.state.known.has('outputs', '\ns9')).toBe(false);
  });

  it.each<[string, BatchItem]>([
    [
      'a wake, which looks at times that others move',
      { runId: RUN_ID, event: { type: 'woken', stepExecutionId: 'a-2', at: 1 } },
    ],
    ['a cancellation', { runId: RUN_ID, event: { type: 'cancellation_requested', by: null, reason: null } }],
    ['a call', { ...answer, audit: auditEntry }],
    ['who has shown nothing', { ...answer, onlyOfNobody: true }],
  ])('is not for %s, nor for the records beside it', (_, item) => {
    const runs = new WarmRuns();
    runs.keep(decided());
    expect(runs.of([answer, item]).size).toBe(0);
    expect(runs.of([answer]).size).toBe(1);
  });

  it('is forgotten when it is told to, and when there is too much of others', () => {
    const runs = new WarmRuns();
    runs.keep(decided());
    for (let n = 0; n < 300; n++)
      runs.keep(decided({ run: run({ runId: `other-${n}` }), workflowInput: 'x'.repeat(60_000) }));
    expect(runs.of([answer]).size).toBe(0);
    const other = { ...answer, runId: 'other-299' };
    expect(runs.of([other]).size).toBe(1);
    runs.forget('other-299');
    expect(runs.of([other]).size).toBe(0);
  });
});
