import type { WorkflowDefinition } from '../workflow-definition.ts';
import type { PlacedStep } from './placed-steps.ts';
import type { Warning } from './warning.ts';

/** Times that are never over, since something else is over before. */
export function timesWithoutEffect(placed: PlacedStep, definition: WorkflowDefinition): Warning[] {
  const { path, step } = placed;
  return [
    ...longerThanAround(placed, definition),
    ...('heartbeat_seconds' in step ? silenceLongerThanAll(path, step) : []),
    ...(step.type === 'workflow' && step.wait_for_completion === false ? unwaitedFor(path, step) : []),
  ];
}

function longerThanAround({ path, step, scope }: PlacedStep, definition: WorkflowDefinition): Warning[] {
  const [field, own] = ownTimeOf(step);
  const around = limitAround(scope.container, definition);
  if (own === undefined || around === null || own <= around.seconds) return [];
  return [
    {
      path: `${path}.${field}`,
      message: `${own} seconds are never over: ${around.what} ends after ${around.seconds}`,
      hint: `Make it shorter, or timeout_seconds of ${around.what} longer`,
    },
  ];
}

function ownTimeOf(step: PlacedStep['step']): readonly [field: string, seconds: number | undefined] {
  if (step.type === 'wait') return ['seconds', typeof step.seconds === 'number' ? step.seconds : undefined];
  return ['timeout_seconds', 'timeout_seconds' in step ? step.timeout_seconds : undefined];
}

/** The shortest time that what it stands in has. */
function limitAround(container: PlacedStep | null, { timeout_seconds }: WorkflowDefinition) {
  let shortest =
    timeout_seconds === undefined ? null : { seconds: timeout_seconds, what: 'the workflow' as string };
  for (let at = container; at !== null; at = at.scope.container) {
    const seconds = 'timeout_seconds' in at.step ? at.step.timeout_seconds : undefined;
    if (seconds !== undefined && (shortest === null || seconds < shortest.seconds))
      shortest = { seconds, what: at.path };
  }
  return shortest;
}

function silenceLongerThanAll(
  path: string,
  step: { readonly heartbeat_seconds?: number | undefined; readonly timeout_seconds?: number | undefined },
): Warning[] {
  const { heartbeat_seconds: heartbeat, timeout_seconds: timeout } = step;
  if (heartbeat === undefined || timeout === undefined || heartbeat < timeout) return [];
  return [
    {
      path: `${path}.heartbeat_seconds`,
      message: `no sign of life is ever missed: the step ends after ${timeout} seconds`,
      hint: 'Make it shorter than timeout_seconds',
    },
  ];
}

function unwaitedFor(path: string, { timeout_seconds }: { readonly timeout_seconds?: number | undefined }) {
  if (timeout_seconds === undefined) return [];
  return [
    {
      path: `${path}.timeout_seconds`,
      message: 'has no effect: the step does not wait for the workflow that it starts',
      hint: "Set the other workflow's own timeout_seconds",
    },
  ];
}
