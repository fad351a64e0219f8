import { attemptsOf } from '../engine/decide.ts';
import type { BatchItem } from './batch.ts';
import type { AttemptQuery } from './ports/run-store.ts';

export const NO_ATTEMPTS: AttemptQuery = {
  ids: [],
  withInput: [],
  openOf: [],
  openWithin: [],
  containers: [],
  waiting: [],
  lastOf: [],
  lastWithin: [],
  lastAtTopOf: [],
  steps: [],
};

/** The attempts that a batch's events begin with. */
export function attemptQueryFor(items: readonly BatchItem[]): AttemptQuery {
  const ids = new Set<string>();
  const withInput = new Set<string>();
  const openOf = new Set<string>();
  const lastOf = new Set<string>();
  const lastAtTopOf = new Set<string>();
  const waiting = new Map<string, { runId: string; name: string; count: number }>();
  const steps = new Map<string, { runId: string; scope: string | null; stepId: string }>();
  for (const { runId, event } of items) {
    const about = attemptsOf(event);
    if (about.id !== null) ids.add(about.id);
    if (about.id !== null && about.withInput) withInput.add(about.id);
    if (about.parentId !== null) ids.add(about.parentId);
    if (about.open) openOf.add(runId);
    if (about.last) lastOf.add(runId);
    if (about.lastAtTop) lastAtTopOf.add(runId);
    if (about.step !== null) steps.set(JSON.stringify([runId, about.step]), { runId, ...about.step });
    if (about.waitingFor !== null) {
      // Several signals of one name are for as many who wait.
      const name = about.waitingFor;
      const key = JSON.stringify([runId, name]);
      waiting.set(key, { runId, name, count: (waiting.get(key)?.count ?? 0) + 1 });
    }
  }
  return {
    ...NO_ATTEMPTS,
    ids: [...ids],
    withInput: [...withInput],
    openOf: [...openOf],
    waiting: [...waiting.values()],
    lastOf: [...lastOf],
    lastAtTopOf: [...lastAtTopOf],
    steps: [...steps.values()],
  };
}

export function isEmptyQuery(query: AttemptQuery): boolean {
  return Object.values(query).every(({ length }) => length === 0);
}
