import { describe, expect, it } from 'vitest';
import { attemptsOf, decide } from '../../../shared/engine/decide.ts';
import type { EngineEvent } from '../../../shared/engine/event.ts';
import { knownOf, NOTHING_KNOWN, NotLoadedError } from '../../../shared/engine/known.ts';
import { type Needs, NO_NEEDS } from '../../../shared/engine/needs.ts';
import type { Plan } from '../../../shared/engine/plan.ts';
import { type State, stepKey, workflowKey } from '../../../shared/engine/state.ts';
import {
  attempt,
  draws,
  failedRun,
  pipelinePlan,
  planOf,
  planStep,
  run,
  stateOf,
  stepBase,
  T0,
} from '../../support/engine-states.ts';

const asked = (state: State, event: EngineEvent, needs: Needs = NO_NEEDS): State => ({
  ...state,
  known: knownOf([{ attempts: attemptsOf(event), needs }]),
});
const completed = { status: 'completed', output: 1 } as const;
const answer: EngineEvent = {
  type: 'agent_answered',
  stepExecutionId: 'a-1',
  attempt: null,
  outcome: completed,
  logs: null,
};
const cancel: EngineEvent = { type: 'cancellation_requested', by: null, reason: null };
const decideOn = (plan: Plan, state: State, event: EngineEvent) => decide(plan, state, event, T0, draws());

describe('what was not loaded is not none', () => {
  const looped = planOf([planStep('extract', { next: 'again' }), planStep('again', { inCycle: true })]);
  const wait = { ...stepBase('extract'), type: 'signal' as const, signal: 's' };
  const started: EngineEvent = { type: 'step_requested', stepExecutionId: 'a-1' };
  const pending = stateOf(run(), [attempt({ status: 'PENDING' })]);
  it.each<[string, Plan, State, EngineEvent, Partial<Needs>]>([
    [
      'visits of a loop',
      looped,
      stateOf(run(), [attempt()]),
      answer,
      { visits: [{ scope: '', stepId: 'again' }] },
    ],
    [
      'visits of a run that went back',
      pipelinePlan(),
      stateOf(run({ revisits: true }), [attempt()]),
      answer,
      { visits: [{ scope: '', stepId: 'transform' }] },
    ],
    ['signals', planOf([wait]), pending, started, { signalNames: ['s'] }],
    [
      'workflows',
      planOf([
        {
          ...stepBase('extract'),
          type: 'workflow' as const,
          workflow: { name: 'w 1', version: 3 },
          waits: true,
          input: planStep('x').input,
        },
      ]),
      pending,
      started,
      { workflows: [{ name: 'w 1', version: 3 }] },
    ],
  ])(
    '%s: reading it tells what would load it, and with that it is decided',
    (_, plan, state, event, needs) => {
      const lacking = () => decideOn(plan, asked(state, event), event);
      expect(lacking).toThrow(
        expect.objectContaining({ code: 'NOT_LOADED', needs: { ...NO_NEEDS, ...needs } }),
      );
      expect(
        decideOn(plan, asked(state, event, { ...NO_NEEDS, ...needs, workflowInput: true }), event).ok,
      ).toBe(true);
    },
  );

  it.each<[string, EngineEvent, State]>([
    ['the attempt that is answered', answer, stateOf(run())],
    ['open attempts', cancel, stateOf(run(), [attempt()])],
    ['the last attempts', { type: 'retry_requested' }, stateOf(failedRun, [attempt({ status: 'FAILED' })])],
    [
      'those of the step to go back to',
      { type: 'retry_requested', fromStep: 'extract' },
      stateOf(failedRun, [attempt({ status: 'FAILED' })]),
    ],
    [
      'those that wait for a signal',
      { type: 'signal_received', name: 's', signalId: 'x', payload: null },
      stateOf(run(), [attempt()]),
    ],
    ['the parent that asks', { type: 'retry_requested', parentStepExecutionId: 'p' }, stateOf(failedRun)],
  ])('%s', (_, event, state) => {
    expect(() => decideOn(pipelinePlan(), { ...state, known: NOTHING_KNOWN }, event)).toThrow(NotLoadedError);
  });

  it('what an expression reads and its step did not tell is no EXPRESSION_ERROR', () => {
    const untold = planStep('extract', {
      input: { reads: planStep('x').settleReads, evaluate: ({ outputs }) => outputs.get('other') ?? null },
    });
    const plan = planOf([untold, planStep('other')]);
    const state = stateOf(run(), [attempt({ status: 'PENDING', inputData: null })]);
    expect(() => decideOn(plan, asked(state, started), started)).toThrow('outputs');
  });
});

describe('what would load it', () => {
  it.each<[ConstructorParameters<typeof NotLoadedError>[0], string, Partial<Needs>]>([
    ['outputs', stepKey('it#1/0', 'a b'), { outputs: [{ scope: 'it#1/0', stepId: 'a b' }] }],
    ['attempts', 'a-1', { attempts: ['a-1'] }],
    ['joins', 'it#1', { joins: ['it#1'] }],
    ['variables', '', { variables: [''] }],
    ['errors', 'it#1/0', { errors: ['it#1/0'] }],
    ['children', 'it#1/0', { children: ['it#1/0'] }],
    ['gathered', 'it#1', { gathered: ['it#1'] }],
    ['resuming', 'it#1/0', { resuming: ['it#1/0'] }],
    ['openWithin', 'it#1', { openWithin: ['it#1'] }],
    ['signals', 'x', { signalIds: ['x'] }],
    ['untakenSignals', 's', { signalNames: ['s'] }],
    ['workflows', workflowKey('a b', null), { workflows: [{ name: 'a b', version: null }] }],
    ['workflowInput', '', { workflowInput: true }],
    ['unfinishedChildren', '', { unfinishedChildren: true }],
  ])('%s %j', (what, key, needs) => {
    const error = new NotLoadedError(what, key);
    expect(error.needs).toEqual({ ...NO_NEEDS, ...needs });
    expect(knownOf([{ needs: error.needs! }]).has(what, key)).toBe(true);
  });

  it('is nothing for what the event tells', () => {
    expect(new NotLoadedError('openAttempts', '').needs).toBeNull();
    expect(knownOf([{ joins: 'all' }]).has('joins', 'it#1')).toBe(true);
    expect(knownOf([{ joins: ['it#1'] }]).has('joins', 'it#2')).toBe(false);
  });
});
