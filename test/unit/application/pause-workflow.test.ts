import { expect, it } from 'vitest';
import type { ChangeRun, RunChanged } from '../../../shared/application/change-run.ts';
import { createSetWorkflowPaused } from '../../../shared/application/pause-workflow.ts';
import { auditEntry } from '../../support/audit-entry.ts';

const ann = { userId: 'ann', isAdmin: false, communities: [] };

/** Two open runs of a paused or resumed workflow, and who changes it at the same time. */
function workflow(meanwhile: (isPaused: (is: boolean) => void) => void) {
  let isPaused = false;
  const held = new Map([
    ['run-1', false],
    ['run-2', false],
  ]);
  let asked = 0;
  const changeAll: ChangeRun['changeAll'] = async (runIds, change) => {
    expect(change).toEqual({ type: expect.stringMatching(/^(pause|resume)_requested$/), by: 'workflow' });
    for (const runId of runIds) held.set(runId, change.type === 'pause_requested');
    if (asked++ === 0)
      meanwhile((is) => {
        isPaused = is;
      });
    return runIds.map((): RunChanged => ({ ok: true, status: 'RUNNING' }));
  };
  const setPaused = createSetWorkflowPaused({
    workflows: {
      async setPaused(_viewer, _id, to) {
        const isChanged = isPaused !== to;
        isPaused = to;
        return isChanged;
      },
      isPaused: async () => isPaused,
    },
    runs: {
      findOpenRunsOf: async (_id, { isHeld, after }) => {
        const runIds = [...held].filter(([id, is]) => is === isHeld && id > (after ?? '')).map(([id]) => id);
        return { runIds: runIds.slice(0, 1), next: runIds.length > 1 ? (runIds[0] as string) : null };
      },
    },
    changeRun: { changeAll },
  });
  return { setPaused: (to: boolean) => setPaused(ann, 'w', to, auditEntry), held };
}

it('holds every open run, page by page', async () => {
  const { setPaused, held } = workflow(() => {});
  expect(await setPaused(true)).toEqual({ isChanged: true, runs: 2 });
  expect([...held.values()]).toEqual([true, true]);
  expect(await setPaused(true)).toEqual({ isChanged: false, runs: 0 });
});

it('leaves the runs as the workflow is, where somebody resumes it meanwhile', async () => {
  const { setPaused, held } = workflow((isPaused) => isPaused(false));
  expect(await setPaused(true)).toEqual({ isChanged: true, runs: 2 });
  expect([...held.values()]).toEqual([false, false]);
});
