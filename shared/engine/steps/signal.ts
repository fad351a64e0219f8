import type { Flow, StepBehaviour } from '../flow.ts';
import type { SignalStep } from '../plan.ts';
import type { Attempt, Signal } from '../state.ts';

/*
 *   start      --> a signal of its name came early   --> COMPLETED with its payload
 *                  none                              --> RUNNING, until one comes or its timeout
 *   signalled  --> COMPLETED with its payload
 *   woken      --> past its deadline                 --> TIMEOUT
 *                  earlier                           --> NOT_DUE
 */
export const signal: StepBehaviour<SignalStep> = {
  start(flow, step, attempt) {
    const early = flow.draft.untakenSignals(step.signal).sort((a, b) => a.receivedAt - b.receivedAt)[0];
    if (early !== undefined) {
      take(flow, attempt, early);
      return;
    }
    const deadlineAt = attempt.timeoutMs === null ? null : flow.draft.now + attempt.timeoutMs;
    const waiting = { ...attempt, signalName: step.signal, deadlineAt, wakeAt: deadlineAt };
    flow.draft.put(waiting);
    flow.draft.announce(waiting);
  },

  signalled: (flow, _step, attempt, came) => take(flow, attempt, came),

  woken(flow, step, attempt, at) {
    const { deadlineAt } = attempt;
    if (deadlineAt === null || deadlineAt > at) return 'NOT_DUE';
    const message = `No signal "${step.signal}" came by ${new Date(deadlineAt).toISOString()}`;
    flow.fail(attempt, { code: 'TIMEOUT', message, retryable: true });
    return null;
  },

  needsToStart: (step) => ({ signalNames: [step.signal] }),
};

function take(flow: Flow, attempt: Attempt, came: Signal): void {
  flow.draft.putSignal({ ...came, takenBy: attempt.stepExecutionId });
  flow.complete(attempt, came.payload);
}
