import type { EngineEvent } from '../engine/event.ts';
import type { Reads } from '../engine/plan.ts';
import type { DataQuery } from './ports.ts';

/** What the next steps of a batch read, or null where nothing is to be loaded. */
export function dataQueryFor(
  needs: readonly { readonly runId: string; readonly reads: Reads; readonly event: EngineEvent }[],
): DataQuery | null {
  const inputsOf = new Set<string>();
  const variablesOf = new Set<string>();
  const outputs = new Map<string, { runId: string; stepId: string }>();
  for (const { runId, reads } of needs) {
    if (reads.workflowInput) inputsOf.add(runId);
    if (reads.variables) variablesOf.add(runId);
    for (const stepId of reads.steps) outputs.set(JSON.stringify([runId, stepId]), { runId, stepId });
  }
  if (inputsOf.size + variablesOf.size + outputs.size === 0) return null;
  return { inputsOf: [...inputsOf], variablesOf: [...variablesOf], outputs: [...outputs.values()] };
}
