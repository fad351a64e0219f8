import type { Flow, StepBehaviour } from '../flow.ts';
import { jsonDigest } from '../json-digest.ts';
import type { AgentStep } from '../plan.ts';
import type { Attempt } from '../state.ts';

/*
 *   start      --> its task dispatched                | EXPRESSION_ERROR, DATA_LIMIT: its input cannot be made
 *   answered   --> COMPLETED | FAILED with the agent's code
 *   woken      --> past the heartbeat that was due    --> HEARTBEAT_TIMEOUT
 *                  past the deadline: accepted        --> TIMEOUT
 *                                     not accepted    --> the task dispatched once more, then TIMEOUT
 *                  earlier                            --> NOT_DUE
 *
 * The deadline of a task is a long stop: its agent's time is a bridge's to keep. An agent that reads its own topic has no bridge, and
 * once its task is there its deadline is what the step allows it, and the task is published no more (`republishedAt`).
 */
export const agent: StepBehaviour<AgentStep> = {
  takesInput: true,

  start(flow, step, attempt) {
    // A retry by policy carries the input that was made for the first attempt.
    if (attempt.inputData !== null) {
      dispatch(flow, step, attempt);
      return;
    }
    const input = flow.evaluate(attempt, step.input, 'input');
    if (input !== null) dispatch(flow, step, { ...attempt, inputData: input.value });
  },

  answered(flow, _step, attempt, { outcome, logs }) {
    if (outcome.status === 'completed') flow.complete(attempt, outcome.output, { logs });
    else flow.fail(attempt, outcome.error, logs);
  },

  woken(flow, step, attempt, at) {
    const { acceptedAt, deadlineAt, heartbeatDueAt, heartbeatMs, republishedAt } = attempt;
    if (deadlineAt !== null && deadlineAt <= at) {
      if (acceptedAt === null && republishedAt === null) {
        dispatch(flow, step, { ...attempt, republishedAt: flow.draft.now });
        return null;
      }
      const what =
        acceptedAt === null ? 'No answer came' : 'The agent accepted the task and did not call back';
      const message = `${what} by ${new Date(deadlineAt).toISOString()}`;
      flow.fail(attempt, { code: 'TIMEOUT', message, retryable: true });
      return null;
    }
    if (heartbeatDueAt === null || heartbeatDueAt > at) return 'NOT_DUE';
    const message = `The agent gave no sign of life for ${heartbeatMs} ms`;
    flow.fail(attempt, { code: 'HEARTBEAT_TIMEOUT', message, retryable: true });
    return null;
  },
};

function dispatch(flow: Flow, step: AgentStep, attempt: Attempt): void {
  const { draft, plan } = flow;
  const { defaultTimeoutMs, longStopMs } = plan.settings;
  const deadlineAt = draft.now + (attempt.timeoutMs ?? defaultTimeoutMs) + longStopMs;
  const running: Attempt = { ...attempt, heartbeatMs: step.heartbeatMs, deadlineAt, wakeAt: deadlineAt };
  draft.put(running);
  // Announced each time, republished too: `sequence` is raised by every decision, and its write is guarded by that.
  draft.announce(running);
  draft.effects.push({
    type: 'dispatch_task',
    stepExecutionId: attempt.stepExecutionId,
    stepId: attempt.stepId,
    agentName: step.agentName,
    attempt: attempt.attempt,
    inputData: attempt.inputData,
    idempotencyKey: idempotencyKey(draft.run.runId, attempt),
    timeoutMs: attempt.timeoutMs,
    deadlineAt,
    ...(plan.stepsPerInvocation !== undefined && { stepsPerInvocation: plan.stepsPerInvocation }),
  });
}

/**
 * One key for all attempts of one visit with one input, so that an agent can recognise a repeat. What asks for something else has
 * another: a retry brings an edited input, or a version whose mapping makes another.
 */
function idempotencyKey(runId: string, { scope, stepId, visit, inputData }: Attempt): string {
  return `${runId}:${scope === '' ? '' : `${scope}/`}${stepId}:${visit}:${jsonDigest(inputData)}`;
}
