import type { AuditEntry } from './audit.ts';
import type { ChangeRun } from './change-run.ts';
import type { Viewer } from './permissions.ts';

export interface PausableWorkflows {
  /** Runs of a paused workflow begin paused. @returns whether that changed it: the viewer manages it, and it was not so already. */
  setPaused(viewer: Viewer, id: string, isPaused: boolean, audit: AuditEntry): Promise<boolean>;
  isPaused(id: string): Promise<boolean>;
}

export interface OpenRunsOfWorkflows {
  /** Held by the workflow's pause, or not; in the order of their ids, beyond `after`. `next`: where more may be. */
  findOpenRunsOf(
    workflowId: string,
    page: { readonly isHeld: boolean; readonly after: string | null; readonly limit: number },
  ): Promise<{ readonly runIds: readonly string[]; readonly next: string | null }>;
}

export interface PauseWorkflowDeps {
  readonly workflows: PausableWorkflows;
  readonly runs: OpenRunsOfWorkflows;
  readonly changeRun: Pick<ChangeRun, 'changeAll'>;
}

export interface WorkflowPaused {
  /** The workflow itself was not so before. */
  readonly isChanged: boolean;
  /** How many open runs it holds now, or let go. */
  readonly runs: number;
}

/** For viewers who may manage the workflow; that is decided before. */
export type SetWorkflowPaused = (
  viewer: Viewer,
  id: string,
  isPaused: boolean,
  audit: AuditEntry,
) => Promise<WorkflowPaused>;

/**
 * Pauses or resumes a workflow and what is open of it. The workflow first: what begins from then on is as it is. Where somebody else
 * has asked for the opposite meanwhile, both may have changed the same runs: who is last leaves them as the workflow is. Asked for
 * again, it goes on with what is left.
 */
export function createSetWorkflowPaused({
  workflows,
  runs,
  changeRun,
}: PauseWorkflowDeps): SetWorkflowPaused {
  const changeOpenRuns = async (id: string, isPaused: boolean, audit: AuditEntry): Promise<number> => {
    const change = { type: isPaused ? 'pause_requested' : 'resume_requested', by: 'workflow' } as const;
    let changed = 0;
    for (let after: string | null = null; ; ) {
      const page = { isHeld: !isPaused, after, limit: RUNS_AT_ONCE };
      const { runIds, next } = await runs.findOpenRunsOf(id, page);
      changed += (await changeRun.changeAll(runIds, change, audit)).filter(({ ok }) => ok).length;
      if (next === null) return changed;
      after = next;
    }
  };
  return async (viewer, id, isPaused, audit) => {
    const isChanged = await workflows.setPaused(viewer, id, isPaused, audit);
    const changed = await changeOpenRuns(id, isPaused, audit);
    let left = isPaused;
    for (let isNow = await workflows.isPaused(id); isNow !== left; isNow = await workflows.isPaused(id)) {
      await changeOpenRuns(id, isNow, audit);
      left = isNow;
    }
    return { isChanged, runs: changed };
  };
}

const RUNS_AT_ONCE = 500;
