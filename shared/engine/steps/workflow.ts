import type { Flow, StepBehaviour } from '../flow.ts';
import type { ChildWorkflowStep } from '../plan.ts';
import { type Attempt, workflowKey } from '../state.ts';

/*
 *   start      --> a child run inserted, RUNNING until it ends    | WORKFLOW_NOT_FOUND, NESTING_LIMIT, EXPRESSION_ERROR, DATA_LIMIT
 *                  it does not wait                               --> COMPLETED with {run_id}
 *   answered   --> COMPLETED with the child's output | FAILED with its error
 *   woken      --> past its deadline                              --> the child cancelled, TIMEOUT
 *                  the child was not asked for long               --> asked whether it has ended
 *                  earlier                                        --> NOT_DUE
 *   cancelled  --> the child cancelled
 *   resumed    --> the child goes on where it failed              | it did not fail by itself: tried anew
 */
export const workflow: StepBehaviour<ChildWorkflowStep> = {
  takesInput: true,

  start(flow, step, attempt) {
    const { draft, plan } = flow;
    const { name, version } = step.workflow;
    const found = draft.workflows.get(workflowKey(name, version));
    const depth = draft.run.depth + 1;
    if (!found) {
      const which = version === null ? '' : ` with a version ${version}`;
      const message = `There is no workflow "${name}"${which} that this run may start`;
      flow.fail(attempt, { code: 'WORKFLOW_NOT_FOUND', message, retryable: false });
      return;
    }
    if (depth > plan.settings.maxRunDepth) {
      const message = `Workflows start workflows ${depth} deep; the limit is ${plan.settings.maxRunDepth}`;
      flow.fail(attempt, { code: 'NESTING_LIMIT', message, retryable: false });
      return;
    }
    const input =
      attempt.inputData === null ? flow.evaluate(attempt, step.input, 'input') : { value: attempt.inputData };
    if (input === null) return;
    const childRunId = `run-${draft.draws.id()}`;
    const started = { ...attempt, inputData: input.value, childRunId };
    draft.effects.push({
      type: 'start_child',
      childRunId,
      workflow: found,
      inputData: input.value,
      depth,
      parentStepExecutionId: step.waits ? attempt.stepExecutionId : null,
    });
    if (!step.waits) {
      flow.complete(started, { run_id: childRunId });
      return;
    }
    const deadlineAt = attempt.timeoutMs === null ? null : draft.now + attempt.timeoutMs;
    const waiting = askingLater(flow, { ...started, deadlineAt });
    draft.put(waiting);
    draft.announce(waiting);
  },

  answered(flow, _step, attempt, { outcome, logs }) {
    if (outcome.status === 'completed') flow.complete(attempt, outcome.output, { logs });
    else flow.fail(attempt, outcome.error, logs);
  },

  woken(flow, _step, attempt, at) {
    const { deadlineAt, dueAt, childRunId, stepExecutionId } = attempt;
    if (deadlineAt === null || deadlineAt > at) {
      if (childRunId === null || (dueAt !== null && dueAt > at)) return 'NOT_DUE';
      const waiting = askingLater(flow, attempt);
      flow.draft.put(waiting);
      flow.draft.announce(waiting);
      flow.draft.effects.push({ type: 'ask_child', childRunId, stepExecutionId });
      return null;
    }
    const message = `The run ${childRunId} did not end by ${new Date(deadlineAt).toISOString()}`;
    cancelChild(flow, attempt, message);
    flow.fail(attempt, { code: 'TIMEOUT', message, retryable: true });
    return null;
  },

  cancelled(flow, _step, attempt) {
    cancelChild(flow, attempt, `The run ${flow.draft.run.runId}, which started it, went on without it`);
  },

  resumed(flow, _step, failed) {
    const { childRunId, completedAt, deadlineAt, status } = failed;
    // A child that was cancelled at the deadline is left alone: its cancellation may still be on its way.
    const isTimedOut = deadlineAt !== null && (completedAt ?? 0) >= deadlineAt;
    if (childRunId === null || status !== 'FAILED' || isTimedOut) return false;
    const { draft } = flow;
    const waiting = askingLater(
      flow,
      flow.again(failed, {
        status: 'RUNNING',
        startedAt: draft.now,
        childRunId,
        inputData: failed.inputData,
      }),
    );
    draft.put(waiting);
    draft.announce(waiting);
    draft.effects.push({
      type: 'retry_child',
      childRunId,
      stepExecutionId: waiting.stepExecutionId,
      previousStepExecutionId: failed.stepExecutionId,
    });
    return true;
  },

  needsToStart: ({ workflow }) => ({ workflows: [workflow] }),
};

/**
 * I7: what the child came to, or the request for it to go on, may be lost on its way. It is asked after as long again as the
 * attempt has waited, between the time in which a record is picked up and an hour: a child that runs for days is asked a few times.
 */
function askingLater({ draft, plan }: Flow, attempt: Attempt): Attempt {
  const { pickUpMs } = plan.settings;
  const waitedMs = draft.now - (attempt.startedAt ?? draft.now);
  const dueAt = draft.now + Math.min(Math.max(waitedMs, pickUpMs), Math.max(pickUpMs, MOST_BETWEEN_MS));
  return { ...attempt, dueAt, wakeAt: Math.min(dueAt, attempt.deadlineAt ?? dueAt) };
}

const MOST_BETWEEN_MS = 3_600_000;

function cancelChild({ draft }: Flow, { childRunId, createdAt }: Attempt, reason: string): void {
  if (childRunId === null) return;
  draft.effects.push({
    type: 'cancel_child',
    childRunId,
    reason,
    requestedAt: Math.max(draft.now, createdAt + 1),
  });
}
