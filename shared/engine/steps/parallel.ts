import { openJoin, settleJoin, wakeJoin } from '../container.ts';
import type { StepBehaviour } from '../flow.ts';
import type { ParallelStep } from '../plan.ts';
import type { GatheredChild } from '../state.ts';

/*
 *   start      --> RUNNING, each branch's first step requested
 *   requested  --> as many branches as it waits for completed  --> COMPLETED with {branch: output} of those
 *                  so many cannot complete any more            --> FAILED as the branch that was one too many
 *   (container.ts has the rest)
 */
export const parallel: StepBehaviour<ParallelStep> = {
  opensScopes: true,

  start(flow, { branches, needed }, attempt) {
    const children = branches.map(({ name, startStep }) => ({ child: name, startStep, input: null }));
    openJoin(flow, attempt, children, {
      needed,
      tolerated: branches.length - needed,
      started: branches.length,
    });
  },

  opens: ({ branches }) => branches.map(({ startStep }) => startStep),

  requested: (flow, _step, attempt) => settleJoin(flow, attempt, byName),
  woken: (flow, _step, attempt, at) => wakeJoin(flow, attempt, at, byName),
};

function byName(children: readonly GatheredChild[]) {
  const completed = children.filter(({ status }) => status === 'COMPLETED');
  return Object.fromEntries(completed.map(({ child, output }) => [child, output]));
}
