import { backoffMs } from './backoff.ts';
import type { Draft } from './draft.ts';
import type { AgentFailure } from './event.ts';
import type { Json } from './json.ts';
import { fitsInBytes } from './json-size.ts';
import type { Plan, PlanStep } from './plan.ts';
import { completeRun, failRun } from './run-end.ts';
import type { Attempt } from './state.ts';

/*
 * An attempt of an agent step:
 *
 *   (none)  --enter-->          RUNNING, its task dispatched      | FAILED, where its input cannot be made
 *   (none)  --request-->        PENDING, its step_request published
 *   PENDING --start-->          RUNNING, its task dispatched
 *   RUNNING --complete-->       COMPLETED, and the next step is entered or the run completes
 *   RUNNING --fail-->           FAILED, and a PENDING attempt follows or the run fails
 *   RUNNING --republish-->      RUNNING, its task dispatched once more
 *   PENDING, RUNNING --cancel--> CANCELLED
 */

/** Opens the first attempt of a visit and hands its task to the agent. */
export function enterStep(plan: Plan, draft: Draft, stepId: string): void {
  const step = stepOf(plan, stepId);
  const input = makeInput(plan, draft, step);
  const attempt = newAttempt(draft, step, { status: 'RUNNING', inputData: input.ok ? input.value : null });
  if (!input.ok) {
    failAttempt(plan, draft, attempt, input.failure, null);
    return;
  }
  dispatch(plan, draft, attempt);
}

/** Opens an attempt that a `step_request` will start: for a step that no agent's answer leads to. */
export function requestStep(plan: Plan, draft: Draft, stepId: string, after: Attempt | null): void {
  const step = stepOf(plan, stepId);
  const input = makeInput(plan, draft, step);
  const attempt = newAttempt(draft, step, {
    status: 'PENDING',
    inputData: input.ok ? input.value : null,
    wakeAt: draft.now + plan.settings.pickUpMs,
    ...(after && { visit: after.visit, attempt: after.attempt + 1 }),
  });
  if (!input.ok) {
    failAttempt(plan, draft, attempt, input.failure, null);
    return;
  }
  draft.put(attempt);
  draft.announce(attempt);
  draft.effects.push({ type: 'request_step', stepExecutionId: attempt.stepExecutionId });
}

/** A PENDING attempt whose time has come. */
export function startAttempt(plan: Plan, draft: Draft, attempt: Attempt): void {
  dispatch(plan, draft, { ...attempt, status: 'RUNNING', startedAt: draft.now });
}

/** A task that nobody carried out in its time: published once more, before the attempt is given up. */
export function republishTask(plan: Plan, draft: Draft, attempt: Attempt): void {
  dispatch(plan, draft, { ...attempt, republishedAt: draft.now });
}

export function completeAttempt(
  plan: Plan,
  draft: Draft,
  attempt: Attempt,
  output: Json,
  logs: readonly string[] | null,
): void {
  const completed: Attempt = { ...closed(draft, attempt, 'COMPLETED', logs), outputData: output };
  draft.put(completed);
  draft.setOutput(attempt.stepId, output);
  draft.announce(completed);
  const { next } = stepOf(plan, attempt.stepId);
  if (next === null) completeRun(draft, output);
  else enterStep(plan, draft, next);
}

export function failAttempt(
  plan: Plan,
  draft: Draft,
  attempt: Attempt,
  failure: AgentFailure,
  logs: readonly string[] | null,
): void {
  const { code, message } = failure;
  const failed: Attempt = { ...closed(draft, attempt, 'FAILED', logs), error: { code, message } };
  draft.put(failed);
  draft.announce(failed, message);
  const step = stepOf(plan, attempt.stepId);
  const delayMs = backoffMs(step.retry, failure, attempt.policyAttempt, draft.draws.jitter);
  if (delayMs === null) {
    failRun(draft, failed, failure);
    return;
  }
  const dueAt = draft.now + delayMs;
  const next = newAttempt(draft, step, {
    status: 'PENDING',
    inputData: attempt.inputData,
    scope: attempt.scope,
    visit: attempt.visit,
    attempt: attempt.attempt + 1,
    policyAttempt: attempt.policyAttempt + 1,
    dueAt,
    wakeAt: dueAt,
  });
  draft.put(next);
  draft.announce(next);
}

export function cancelAttempt(draft: Draft, attempt: Attempt): void {
  const cancelled = closed(draft, attempt, 'CANCELLED', null);
  draft.put(cancelled);
  draft.announce(cancelled);
}

export function stepOf(plan: Plan, stepId: string): PlanStep {
  const step = plan.steps.get(stepId);
  // Plans are validated and a run keeps its version: a miss is a defect, not an input.
  if (step === undefined) throw new Error(`The plan has no step ${stepId}`);
  return step;
}

function dispatch(plan: Plan, draft: Draft, attempt: Attempt): void {
  const { agentName } = stepOf(plan, attempt.stepId);
  const { defaultTimeoutMs, longStopMs } = plan.settings;
  const deadlineAt = draft.now + (attempt.timeoutMs ?? defaultTimeoutMs) + longStopMs;
  const running: Attempt = { ...attempt, dueAt: null, deadlineAt, wakeAt: deadlineAt };
  draft.put(running);
  // Announced each time, republished too: `sequence` is raised by every decision, and its write is guarded by that.
  draft.announce(running);
  draft.effects.push({
    type: 'dispatch_task',
    stepExecutionId: attempt.stepExecutionId,
    stepId: attempt.stepId,
    agentName,
    attempt: attempt.attempt,
    inputData: attempt.inputData,
    idempotencyKey: idempotencyKey(draft.run.runId, attempt),
    deadlineAt,
  });
}

/** One key for all attempts of one visit, so that an agent can recognise a repeat. */
function idempotencyKey(runId: string, { scope, stepId, visit }: Attempt): string {
  return `${runId}:${scope === '' ? '' : `${scope}/`}${stepId}:${visit}`;
}

function newAttempt(draft: Draft, step: PlanStep, given: Partial<Attempt>): Attempt {
  return {
    stepExecutionId: draft.draws.id(),
    stepId: step.id,
    scope: '',
    visit: 1,
    attempt: 1,
    policyAttempt: 1,
    status: 'PENDING',
    inputData: null,
    outputData: null,
    error: null,
    logs: null,
    createdAt: nextCreatedAt(draft),
    startedAt: given.status === 'RUNNING' ? draft.now : null,
    completedAt: null,
    timeoutMs: step.timeoutMs,
    dueAt: null,
    deadlineAt: null,
    acceptedAt: null,
    republishedAt: null,
    wakeAt: null,
    ...given,
  };
}

/** Later than what led to it, whatever the clock of the environment that decided that: a run's attempts are in their order. */
function nextCreatedAt({ now, attempts }: Draft): number {
  let time = now;
  for (const { createdAt } of attempts.values()) time = Math.max(time, createdAt + 1);
  return time;
}

function closed(
  draft: Draft,
  attempt: Attempt,
  status: 'COMPLETED' | 'FAILED' | 'CANCELLED',
  logs: readonly string[] | null,
): Attempt {
  return { ...attempt, status, logs, completedAt: draft.now, dueAt: null, wakeAt: null };
}

type MadeInput = { ok: true; value: Json } | { ok: false; failure: AgentFailure };

function makeInput(plan: Plan, draft: Draft, step: PlanStep): MadeInput {
  const { maxPayloadBytes } = plan.settings;
  const value = step.input.evaluate(draft.scope);
  if (fitsInBytes(value, maxPayloadBytes)) return { ok: true, value };
  const message = `The input of step "${step.id}" is larger than the limit of ${maxPayloadBytes} bytes of JSON`;
  return { ok: false, failure: { code: 'DATA_LIMIT', message, retryable: false } };
}
