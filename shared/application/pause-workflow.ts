import type { AuditEntry } from './audit.ts';
import type { ChangeRun } from './change-run.ts';
import type { Viewer } from './viewer.ts';

export interface PausableWorkflows {
  /** Runs of a paused workflow begin paused. @returns whether that changed it: the viewer manages it, and it was not so already. */
  setPaused(viewer: Viewer, id: string, isPaused: boolean, audit: AuditEntry): Promise<boolean>;
}

export interface OpenRunsOfWorkflows {
  /** In the order of their ids, beyond `after`. `next`: where more may be. */
  findOpenRunsOf(
    workflowId: string,
    page: { readonly isPaused: boolean; readonly after: string | null; readonly limit: number },
  ): Promise<{ readonly runIds: readonly string[]; readonly next: string | null }>;
}

export interface PauseWorkflowDeps {
  readonly workflows: PausableWorkflows;
  readonly runs: OpenRunsOfWorkflows;
  readonly changeRun: Pick<ChangeRun, 'pauseAll' | 'resumeAll'>;
}

export interface WorkflowPaused {
  /** The workflow itself was not so before. */
  readonly isChanged: boolean;
  /** How many open runs were paused or resumed. */
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
 * Pauses or resumes a workflow and what is open of it. The workflow first, so that no run begins otherwise meanwhile. Asked for
 * again, it goes on with what is left.
 */
export function createSetWorkflowPaused({
  workflows,
  runs,
  changeRun,
}: PauseWorkflowDeps): SetWorkflowPaused {
  return async (viewer, id, isPaused, audit) => {
    const isChanged = await workflows.setPaused(viewer, id, isPaused, audit);
    const changeAll = isPaused ? changeRun.pauseAll : changeRun.resumeAll;
    let changed = 0;
    for (let after: string | null = null; ; ) {
      const { runIds, next } = await runs.findOpenRunsOf(id, {
        isPaused: !isPaused,
        after,
        limit: RUNS_AT_ONCE,
      });
      changed += (await changeAll(runIds, audit)).filter(({ ok }) => ok).length;
      if (next === null) return { isChanged, runs: changed };
      after = next;
    }
  };
}

const RUNS_AT_ONCE = 500;
