import { describe, expect, it } from 'vitest';
import type { ChoiceStep } from '../../../../shared/engine/plan.ts';
import { expression, stepBase } from '../../../support/engine-states.ts';
import { decided, decideStep, events, paused, requested, tellStep } from '../../../support/step-cases.ts';

const choose = (holding: readonly boolean[], given: Partial<ChoiceStep> = {}): ChoiceStep => ({
  ...stepBase('it'),
  type: 'choice',
  rules: holding.map((holds, i) => ({ next: i === 0 ? 'then' : 'handler', holds: () => holds })),
  otherwise: null,
  ...given,
});
const chosen = (next: string) =>
  `RUNNING | it#1 COMPLETED, ${next}#1 PENDING | update RUNNING it COMPLETED, update RUNNING ${next} PENDING, request n-1`;
const FAILED = 'FAILED | it#1 FAILED | update RUNNING it FAILED, update FAILED';

describe('a choice step', () => {
  it.each<[string, ChoiceStep, string]>([
    ['the first rule that holds', choose([true, true]), chosen('then')],
    ['the second where the first does not', choose([false, true]), chosen('handler')],
    ['the default where none does', choose([false], { otherwise: 'handler' }), chosen('handler')],
    ['nothing, without a default', choose([false, false]), FAILED],
  ])('leads to %s', (_, step, expected) => {
    expect(tellStep([step], { attempt: requested() }, events.requested)).toBe(expected);
    expect(tellStep([step], { attempt: requested() }, events.woken)).toBe(expected);
    expect(tellStep([step], { attempt: requested(), run: paused }, events.requested)).toBe('RUN_PAUSED');
    expect(tellStep([step], { attempt: requested() }, events.completed)).toBe('ATTEMPT_NOT_STARTED');
  });

  it('has as its output where it leads, and may assign', () => {
    const assign = expression(({ output }) => ({ way: output ?? null }));
    const state = decided(
      decideStep([choose([true], { assign })], { attempt: requested() }, events.requested),
    );
    expect(state.attempts.get('a-1')?.outputData).toEqual({ next_step: 'then' });
    expect(state.variables.get('')).toEqual({ way: { next_step: 'then' } });
  });

  it('NO_CHOICE_MATCHED may be caught', () => {
    const step = choose([false], { catch: [{ codes: ['NO_CHOICE_MATCHED'], next: 'handler' }] });
    expect(tellStep([step], { attempt: requested() }, events.requested)).toContain('handler#1 PENDING');
  });

  it('EXPRESSION_ERROR: a rule that cannot be looked at', () => {
    const holds = () => {
      throw new Error('too deep');
    };
    const step = choose([], { rules: [{ next: 'then', holds }], otherwise: 'handler' });
    const state = decided(decideStep([step], { attempt: requested() }, events.requested));
    expect(state.run.error).toMatchObject({ code: 'EXPRESSION_ERROR', stepId: 'it' });
  });

  it('counts the visits of where it leads back to', () => {
    const data = { visits: { handler: 2 } };
    const state = decided(
      decideStep([choose([false, true])], { attempt: requested(), data }, events.requested),
    );
    expect(state.attempts.get('n-1')).toMatchObject({ stepId: 'handler', visit: 3, attempt: 1 });
  });
});
