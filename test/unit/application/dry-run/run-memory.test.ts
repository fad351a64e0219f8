import { describe, expect, it } from 'vitest';
import { RunMemory } from '../../../../shared/application/dry-run/run-memory.ts';
import type { Attempt, Run } from '../../../../shared/engine/state.ts';
import {
  attempt,
  completedRun,
  pipelinePlan,
  RUN_ID,
  run,
  stateOf,
  T0,
} from '../../../support/engine-states.ts';

function memoryOf(ofRun: Run, ...attempts: readonly Attempt[]): RunMemory {
  const memory = new RunMemory(pipelinePlan(), { runId: RUN_ID, inputData: null, variables: null });
  memory.keep(stateOf(ofRun, attempts));
  return memory;
}

const first = attempt({ stepExecutionId: 'a-1', wakeAt: T0 + 2_000 });
const second = attempt({ stepExecutionId: 'a-2', wakeAt: T0 + 1_000 });

describe('the next time that somebody waits for', () => {
  it.each<[what: string, memory: RunMemory, next: ReturnType<RunMemory['nextWake']>]>([
    ['the earliest attempt’s', memoryOf(run(), first, second), { stepExecutionId: 'a-2', at: T0 + 1_000 }],
    ['the run’s own', memoryOf(run({ wakeAt: T0 }), first), { stepExecutionId: null, at: T0 }],
    [
      'not a closed attempt’s',
      memoryOf(run(), first, { ...second, status: 'COMPLETED' }),
      { stepExecutionId: 'a-1', at: T0 + 2_000 },
    ],
    ['none where nobody waits', memoryOf(run(), { ...first, wakeAt: null }), null],
    ['none of a closed run', memoryOf({ ...completedRun, wakeAt: T0 }), null],
  ])('is %s', (_what, memory, next) => {
    expect(memory.nextWake()).toEqual(next);
  });
});

it('hands out the attempt that the event is about, else the open ones, and keeps them all', () => {
  const closed = attempt({ stepExecutionId: 'a-3', status: 'COMPLETED' });
  const memory = memoryOf(run(), first, closed);
  const idsFor = (stepExecutionId: string) => [
    ...memory.stateFor({ type: 'step_requested', stepExecutionId }).attempts.keys(),
  ];
  expect(idsFor('a-1')).toEqual(['a-1']);
  expect(idsFor('a-3')).toEqual(['a-3']);
  expect([...memory.stateFor({ type: 'pause_requested' }).attempts.keys()]).toEqual(['a-1']);
  expect([...memory.attempts].map(({ stepExecutionId }) => stepExecutionId)).toEqual(['a-1', 'a-3']);
});

it('measures its data once, however many attempts share them', () => {
  const inputData = { text: 'x'.repeat(100) };
  const length = JSON.stringify(inputData).length;
  expect(memoryOf(run(), { ...first, inputData }, { ...second, inputData }).dataLength).toBe(length);
  const copy = { ...inputData };
  expect(memoryOf(run(), { ...first, inputData, outputData: copy }).dataLength).toBe(2 * length);
});
