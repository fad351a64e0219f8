import { describe, expect, it } from 'vitest';
import type { AuditRecord } from '../../../shared/application/audit.ts';
import type { BatchItem } from '../../../shared/application/batch.ts';
import { auditEntry } from '../../support/audit-entry.ts';
import type { StorePoint } from '../../support/memory-store.ts';
import {
  cancelled,
  completed,
  decided,
  definitionOf,
  refusedWith,
  requested,
  setUp,
  twoSteps,
} from '../../support/process-batch-harness.ts';

const movedOn = () =>
  Object.assign(new Error('Runs went on meanwhile'), { code: 'RUNS_MOVED_ON', runIds: ['r1'] });

describe('what an environment keeps of a run', () => {
  it('is read once, and then no more by who answers', async () => {
    const { store, processBatch, answer, addRun } = setUp();
    addRun('r1');
    await processBatch([{ runId: 'r1', event: requested }]);
    store.forget();
    await processBatch([answer('r1', completed(1))]);
    expect(store.asked).toEqual(['save', 'commit']);
  });

  it('is nothing that is not committed yet, as where its run is locked', async () => {
    const { store, processBatch, warmRuns, answer, addRun } = setUp();
    addRun('r1');
    await processBatch([{ runId: 'r1', event: requested }]);
    const item = answer('r1', completed(1));
    let saves = 0;
    store.onSave = () => {
      if (++saves <= 2) throw movedOn();
    };
    const kept: number[] = [];
    store.onPoint = (point: StorePoint) => {
      if (point === 'commit') kept.push(warmRuns.of([item]).size);
    };
    expect(await processBatch([item])).toEqual([decided('RUNNING')]);
    expect(store.asked).toContain('lock');
    expect([kept, warmRuns.of([item]).size]).toEqual([[0], 1]);
  });

  it('goes by the version that a retry has changed to', async () => {
    const { store, processBatch, warmRuns, answer, addRun } = setUp();
    store.addVersion('v-2', definitionOf(twoSteps), 2);
    addRun('r1');
    await processBatch([{ runId: 'r1', event: requested }]);
    await processBatch([{ runId: 'r1', event: cancelled }]);
    const version = { versionId: 'v-2', number: 2, workflowId: 'wf-two-2' };
    await processBatch([{ runId: 'r1', event: { type: 'retry_requested' }, version }]);
    const stored = warmRuns.of([answer('r1', completed(1))]).get('r1')?.stored;
    expect(stored).toMatchObject({ versionId: 'v-2', workflowId: 'wf-two-2' });
  });

  it('refuses nobody: what it would refuse is read first', async () => {
    const { store, processBatch, answer, addRun } = setUp();
    addRun('r1');
    await processBatch([{ runId: 'r1', event: requested }]);
    const late = answer('r1', completed(1));
    await processBatch([late]);
    store.forget();
    expect(await processBatch([late])).toEqual([refusedWith('ATTEMPT_CLOSED')]);
    expect(store.asked).toContain('loadRuns');
  });

  it('keeps the order of a batch where one of its records is read first', async () => {
    const { processBatch, answer, addRun } = setUp();
    addRun('r1');
    await processBatch([{ runId: 'r1', event: requested }]);
    const first = answer('r1', completed(1));
    const outcomes = await processBatch([first, first, first]);
    expect(outcomes).toEqual([
      decided('RUNNING'),
      refusedWith('ATTEMPT_CLOSED'),
      refusedWith('ATTEMPT_CLOSED'),
    ]);
  });

  it.each<[what: string, given: Partial<BatchItem>]>([
    ['whose caller is noted', { audit: auditEntry as AuditRecord }],
    ['that shows nothing', { onlyOfNobody: true }],
    ['that changes the version', { version: { versionId: 'v-1', number: 1, workflowId: 'wf-two-1' } }],
    ['with a plan', { inlinePlan: twoSteps }],
  ])('is not taken by a record %s', async (_what, given) => {
    const { processBatch, warmRuns, answer, addRun } = setUp();
    addRun('r1');
    await processBatch([{ runId: 'r1', event: requested }]);
    const item = answer('r1', completed(1));
    expect([warmRuns.of([item]).size, warmRuns.of([item, { ...item, ...given }]).size]).toEqual([1, 0]);
  });

  it('is what was used last, where all of it together is too much', async () => {
    const { processBatch, warmRuns, answer, addRun } = setUp();
    const runIds = Array.from({ length: 400 }, (_, i) => `r${i}`);
    for (const runId of runIds) {
      addRun(runId, { inputData: { n: 'x'.repeat(30_000) } });
      await processBatch([{ runId, event: requested }]);
    }
    const kept = [...warmRuns.of(runIds.map((runId) => answer(runId, completed(1)))).keys()];
    // Each once as the run's input, and once as its step's.
    expect(kept).toEqual(runIds.slice(-kept.length));
    expect([kept.length > 200, kept.length < 300]).toEqual([true, true]);
  });
});
