import type { Effect } from '../engine/effects.ts';
import type { MonitoringUpdate } from '../messages/messages.ts';
import type { LoadedRun } from './ports/run-store.ts';

/** Thousands of attempts may end with their run: a record stays far below what its topic takes. */
const MAX_BYTES = 512 * 1024;
/** Of a transition without its texts; a character of those takes up to six bytes of JSON. */
const BYTES = { fields: 200, character: 6 };

/** An effect that tells of a transition. */
export type Told = Extract<Effect, { type: 'publish_update' }>;

type Transition = ReturnType<typeof transitionOf>;

/** What a decision tells of a run: one record of all its transitions, more only where they are too many for one. */
export function updatesOf(
  { run: { runId }, workflowId }: LoadedRun,
  told: readonly Told[],
  timestamp: string,
) {
  return partsOf(told.map(transitionOf)).map(
    (transitions) =>
      ({
        message_type: 'monitoring_update',
        run_id: runId,
        workflow_id: workflowId,
        ...(transitions.at(-1) as Transition),
        transitions,
        timestamp,
      }) satisfies MonitoringUpdate,
  );
}

function transitionOf(told: Told) {
  return {
    sequence: told.sequence,
    status: told.status,
    step_id: told.stepId,
    scope: told.scope === '' ? null : told.scope,
    step_status: told.stepStatus,
    attempt: told.attempt,
    error_message: told.errorMessage,
  };
}

function partsOf(transitions: readonly Transition[]): Transition[][] {
  const parts: Transition[][] = [];
  let left = 0;
  for (const each of transitions) {
    const bytes = bytesOf(each);
    if (bytes > left) {
      parts.push([]);
      left = MAX_BYTES;
    }
    parts.at(-1)?.push(each);
    left -= bytes;
  }
  return parts;
}

/** At most. */
function bytesOf({ step_id, scope, error_message }: Transition): number {
  const characters = [step_id, scope, error_message].reduce((sum, text) => sum + (text?.length ?? 0), 0);
  return BYTES.fields + BYTES.character * characters;
}
