import { describe, expect, it } from 'vitest';
import { changesOf, type DecidedRun } from '../../../shared/application/changes-of.ts';
import type { Child, Run, Signal, State } from '../../../shared/engine/state.ts';
import { NO_CHANGES } from '../../support/changes.ts';
import {
  attempt,
  join,
  pipelinePlan,
  RUN_ID,
  requestedAttempt,
  run,
  stateOf,
  T0,
} from '../../support/engine-states.ts';

const opened = join({ path: 'map#1', stepId: 'extract' });
const child: Child = {
  scope: 'map#1/0',
  index: 0,
  status: 'PENDING',
  nextWaiting: null,
  input: 1,
  output: null,
  error: null,
};
const signal: Signal = { id: 's-1', name: 'go', payload: 1, receivedAt: T0, takenBy: null };

function decided(loaded: State, state: Partial<State>, given: Partial<DecidedRun> = {}): DecidedRun {
  return {
    stored: { run: loaded.run, versionId: 'v-1', owner: 'ann', workflowId: 'wf-a-1' },
    plan: pipelinePlan(),
    versionId: 'v-1',
    loaded,
    state: { ...loaded, ...state },
    effects: [],
    isByTimes: false,
    ...given,
  };
}

const changes = (loaded: State, state: Partial<State>, given?: Partial<DecidedRun>) =>
  changesOf([decided(loaded, state, given)], [], T0);
const mapOf = <Value>(key: string, value: Value) => new Map([[key, value]]);
const was = run().sequence;
const advanced = [{ runId: RUN_ID, was, sequence: 11, stepsStarted: 2 }];

describe('the run', () => {
  it('that only counted on is advanced', () => {
    expect(changes(stateOf(run()), { run: run({ sequence: 11, stepsStarted: 2 }) })).toEqual({
      ...NO_CHANGES,
      advanced,
    });
  });

  it.each<[string, Partial<Run>, Partial<DecidedRun>]>([
    ['ended', { status: 'COMPLETED' }, {}],
    ['was paused', { pausedAt: T0, heldBy: 'run' }, {}],
    ['is held by less', { heldBy: 'workflow' }, {}],
    ['got another time', { wakeAt: T0 }, {}],
    ['went back', { revisits: true }, {}],
    ['answers another attempt', { parent: { runId: 'r-0', stepExecutionId: 'a-0' } }, {}],
    ['got its plan', {}, { versionId: 'v-2' }],
  ])('that %s is changed', (_, given, decidedRun) => {
    const after = run({ sequence: 11, ...given });
    const found = changes(stateOf(run()), { run: after }, decidedRun);
    expect(found).toEqual({
      ...NO_CHANGES,
      changed: [
        {
          run: after,
          was,
          statusWas: run().status,
          workflowWasPaused: run().isWorkflowPaused,
          versionId: decidedRun.versionId ?? 'v-1',
          version: undefined,
        },
      ],
    });
  });

  it('that goes on with another version tells it', () => {
    const version = { versionId: 'v-2', number: 2, workflowId: 'wf-a-2' };
    const after = run({ sequence: 11 });
    const before = run({ status: 'FAILED' });
    expect(changes(stateOf(before), { run: after }, { versionId: 'v-2', version }).changed).toEqual([
      {
        run: after,
        was,
        statusWas: 'FAILED',
        workflowWasPaused: before.isWorkflowPaused,
        versionId: 'v-2',
        version,
      },
    ]);
  });
});

describe('an attempt', () => {
  const loaded = stateOf(run(), [requestedAttempt]);
  const changedTo = (given: Parameters<typeof attempt>[0]) => {
    const changed = attempt({ ...requestedAttempt, ...given });
    return { attempts: new Map([['a-1', changed]]) };
  };

  it('that is the same object is not written', () => {
    expect(changes(loaded, { run: run({ sequence: 11, stepsStarted: 2 }) })).toEqual({
      ...NO_CHANGES,
      advanced,
    });
  });

  it('that was decided by its times is told with what they were', () => {
    const { attempts } = changedTo({ status: 'RUNNING', deadlineAt: T0 + 2, heartbeatDueAt: null });
    const { continued } = changes(loaded, { attempts }, { isByTimes: true });
    const { deadlineAt, heartbeatDueAt } = requestedAttempt;
    expect(continued).toMatchObject([{ timesWere: { deadlineAt, heartbeatDueAt } }]);
    expect(changes(loaded, { attempts }).continued[0]).not.toHaveProperty('timesWere');
  });

  it('that is new is opened, with what its step says', () => {
    const opened = attempt({ stepExecutionId: 'a-2', stepId: 'transform', scope: 'map#1/0' });
    const { attempts } = stateOf(run(), [requestedAttempt, opened]);
    expect(changes(loaded, { attempts }).opened).toEqual([
      {
        runId: RUN_ID,
        stepName: 'transform',
        agentName: 'transform-agent',
        stepType: 'agent',
        attempt: opened,
      },
    ]);
  });

  it('that goes on is continued; an input that is there is not sent again', () => {
    const { attempts } = changedTo({ status: 'RUNNING', wakeAt: T0 + 1 });
    const { continued, closed } = changes(loaded, { attempts });
    expect(continued).toMatchObject([
      { stepExecutionId: 'a-1', status: 'RUNNING', wakeAt: T0 + 1, inputData: null },
    ]);
    expect(closed).toEqual([]);
  });

  it('that began and ended at once is closed with the input that was made', () => {
    const before = stateOf(run(), [attempt({ ...requestedAttempt, inputData: null })]);
    const { attempts } = changedTo({ status: 'COMPLETED', inputData: { n: 1 }, startedAt: T0 });
    const { continued, closed } = changes(before, { attempts });
    expect(closed).toMatchObject([{ status: 'COMPLETED', inputData: { n: 1 }, startedAt: T0 }]);
    expect(continued).toEqual([]);
  });
});

describe('scopes', () => {
  it('write joins with what they were, children, and what was set now', () => {
    const loaded = stateOf(run(), [], {
      joins: [opened],
      children: [child, { ...child, scope: 'map#1/1', index: 1 }],
      variables: new Map([
        ['', { a: 1 }],
        ['map#1/0', { b: 1 }],
      ]),
      errors: mapOf('', { code: 'X' }),
    });
    const counted = { ...opened, completed: 1 };
    const inner = { ...opened, path: 'map#1/0/inner#1' };
    const ended = { ...child, status: 'COMPLETED' as const, output: 2 };
    const found = changes(loaded, {
      joins: new Map([
        ['map#1', counted],
        [inner.path, inner],
      ]),
      children: new Map([...loaded.children, ['map#1/0', ended]]),
      variables: new Map([...loaded.variables, ['map#1/0', { b: 2 }]]),
      errors: new Map([...loaded.errors, ['map#1/1', { code: 'Y' }]]),
      sets: [
        { scope: 'map#1/0', since: 1, variables: { b: 2 }, isWhole: false },
        { scope: 'map#1/1', since: 2, error: { code: 'Y' }, isWhole: false },
      ],
    });
    expect(found.joins).toEqual([
      { runId: RUN_ID, join: counted, before: opened },
      { runId: RUN_ID, join: inner, before: null },
    ]);
    expect(found.children).toEqual([{ runId: RUN_ID, child: ended }]);
    expect(found.data).toEqual([
      { runId: RUN_ID, scope: 'map#1/0', since: 1, variables: { b: 2 }, isWhole: false },
      { runId: RUN_ID, scope: 'map#1/1', since: 2, error: { code: 'Y' }, isWhole: false },
    ]);
  });
});

describe('signals', () => {
  it('that came are kept, taken or not; those from before are taken', () => {
    const loaded = stateOf(run(), [], { signals: mapOf('s-1', signal) });
    const taken = { ...signal, takenBy: 'a-1' };
    const came = { ...signal, id: 's-2', takenBy: 'a-2' };
    const found = changes(loaded, {
      signals: new Map([
        ['s-1', taken],
        ['s-2', came],
      ]),
    });
    expect(found.signalsKept).toEqual([{ runId: RUN_ID, signal: came }]);
    expect(found.signalsTaken).toEqual([{ runId: RUN_ID, signal: taken }]);
  });
});

describe('a child run', () => {
  it('is started by its parent, and looked for when nobody picked it up', () => {
    const started = {
      childRunId: 'run-2',
      workflow: { workflowId: 'w-2', versionId: 'v-2', name: 'other', version: 3 },
      inputData: { n: 1 },
      depth: 1,
      parentStepExecutionId: 'a-1',
    };
    const found = changes(stateOf(run()), {}, { effects: [{ type: 'start_child', ...started }] });
    expect(found.runsStarted).toEqual([
      { ...started, parentRunId: RUN_ID, createdAt: T0, wakeAt: T0 + 30_000 },
    ]);
  });
});
