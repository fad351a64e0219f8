import type { Decision, Effect } from '../../shared/engine/effects.ts';
import type { Attempt } from '../../shared/engine/state.ts';

/**
 * A decision in a line: the run's status, then each attempt as `step#attempt status`, then the effects in their order; or the
 * refusal. Steps in a branch or item stand behind its scope.
 */
export function tell(decision: Decision): string {
  if (!decision.ok) return decision.code;
  const { run, attempts } = decision.state;
  const status = run.pausedAt === null ? run.status : `${run.status} paused`;
  return `${status} | ${[...attempts.values()].map(tellAttempt).join(', ')} | ${decision.effects.map(tellEffect).join(', ')}`;
}

export function tellAttempt({ scope, stepId, attempt, status }: Attempt): string {
  return `${inScope(scope, stepId)}#${attempt} ${status}`;
}

export function tellEffect(effect: Effect): string {
  switch (effect.type) {
    case 'publish_update': {
      const step = effect.stepId === null ? null : inScope(effect.scope, effect.stepId);
      return ['update', effect.status, step, effect.stepStatus].filter((part) => part !== null).join(' ');
    }
    case 'dispatch_task':
      return `task ${effect.stepId}#${effect.attempt}`;
    case 'request_step':
      return `request ${effect.stepExecutionId}`;
    case 'announce_cancellation':
      return 'announce cancellation';
    case 'start_child':
      return `start ${effect.workflow.name}`;
    case 'cancel_child':
      return `cancel ${effect.childRunId}`;
    case 'retry_child':
      return `retry ${effect.childRunId} for ${effect.stepExecutionId}`;
    case 'ask_child':
      return `ask ${effect.childRunId} for ${effect.stepExecutionId}`;
    case 'answer_parent':
      return `answer ${effect.runId} ${'output' in effect.outcome ? 'with an output' : effect.outcome.error.code}`;
  }
}

function inScope(scope: string, stepId: string): string {
  return scope === '' ? stepId : `${scope}:${stepId}`;
}
