import { describe, expect, it } from 'vitest';
import type { BatchItem } from '../../../shared/application/batch.ts';
import { ContendedRuns } from '../../../shared/application/contended-runs.ts';

const itemOf = (runId: string): BatchItem => ({
  runId,
  event: { type: 'step_requested', stepExecutionId: 'a-1' },
});

describe('a run that others decide about at the same time', () => {
  it('is contended in its next sixteen batches, however many of its records they have', () => {
    const runs = new ContendedRuns();
    expect([...runs.take([itemOf('one')])]).toEqual([]);
    runs.add(['one']);
    for (let batch = 1; batch <= 16; batch++)
      expect([...runs.take([itemOf('one'), itemOf('other'), itemOf('one')])]).toEqual(['one']);
    expect([...runs.take([itemOf('one')])]).toEqual([]);
  });

  it('is so for longer when it is overtaken again', () => {
    const runs = new ContendedRuns();
    runs.add(['one']);
    for (let batch = 1; batch <= 10; batch++) runs.take([itemOf('one')]);
    runs.add(['one']);
    for (let batch = 1; batch <= 16; batch++) expect(runs.take([itemOf('one')]).size).toBe(1);
    expect(runs.take([itemOf('one')]).size).toBe(0);
  });
});
