import { describe, expect, it } from 'vitest';
import type { EngineEvent } from '../../../shared/engine/event.ts';
import { auditEntry } from '../../support/audit-entry.ts';
import { failure } from '../../support/memory-tables.ts';
import {
  completed,
  decided,
  definitionOf,
  requested,
  setUp,
  twoSteps,
} from '../../support/process-batch-harness.ts';

const RUNS = ['r1', 'r2', 'r3', 'r4', 'r5', 'r6', 'r7'];
const TOLD = 'A mistake in Stepline kept this run from going on. The log has more about it, by the run_id.';

/** Seven runs, of which each waits for the answer of `a`. */
async function underWay() {
  const world = setUp();
  for (const runId of RUNS) world.addRun(runId);
  await world.processBatch(RUNS.map((runId) => ({ runId, event: requested })));
  // What tests do to the tables, an environment that knows the runs would not see.
  for (const runId of RUNS) world.warmRuns.forget(runId);
  const answers = () => RUNS.map((runId) => world.answer(runId, completed(runId)));
  const statuses = () => RUNS.map((runId) => world.store.runs.get(runId)?.run.status);
  return { ...world, answers, statuses };
}

/** What completes or opens an attempt of the run cannot be saved; its failing can. */
function poison({ store }: Awaited<ReturnType<typeof underWay>>, runId: string, error: () => Error): void {
  store.onSave = ({ opened, closed }) => {
    const isOf = ({ stepExecutionId: id }: { stepExecutionId: string }) =>
      store.attempts.get(id)?.runId === runId;
    const isDone = closed.some((attempt) => attempt.status === 'COMPLETED' && isOf(attempt));
    if (isDone || opened.some((attempt) => attempt.runId === runId)) throw error();
  };
}

const alone = (failing: string) => RUNS.map((runId) => (runId === failing ? 'FAILED' : 'RUNNING'));

describe('a record whose decision cannot be saved', () => {
  it.each(['UNIQUE_VIOLATION', 'CONSTRAINT_VIOLATION', 'STALE_DECISION', 'STATEMENT_TIMEOUT', 'unheard of'])(
    'for %s is found, its run ends with a code, and its neighbours go on',
    async (code) => {
      const world = await underWay();
      poison(world, 'r5', () => failure(code));
      const outcomes = await world.processBatch(world.answers());
      const fault = { class: 'defect', reason: `The store says ${code}` };
      expect(outcomes[4]).toEqual({ ...decided('FAILED'), fault });
      expect(world.statuses()).toEqual(alone('r5'));
      const { run } = world.store.runs.get('r5')!;
      expect(run.error).toEqual({ code: 'INTERNAL_ERROR', message: TOLD, stepId: null, attempt: null });
      expect(world.store.attemptsOf('r5').map(({ status }) => status)).toEqual(['CANCELLED']);
    },
  );

  it('for a value fails its attempt, whose error may be caught', async () => {
    const world = await underWay();
    const a = { ...twoSteps.steps.a, catch: [{ codes: ['UNSTORABLE'], next_step: 'c' }] };
    const c = { agent_name: 'z' };
    world.store.addVersion('v-2', definitionOf({ ...twoSteps, steps: { ...twoSteps.steps, a, c } }));
    world.addRun('r8', { versionId: 'v-2' });
    await world.processBatch([{ runId: 'r8', event: requested }]);
    const outcomes = await world.processBatch([
      world.answer('r1', completed('well')),
      world.answer('r5', completed('a\u0000')),
      world.answer('r8', completed('a\u0000')),
    ]);
    const fault = { class: 'value', reason: 'The store says VALUE_REFUSED' };
    expect(outcomes).toEqual([
      decided('RUNNING'),
      { ...decided('FAILED'), fault },
      { ...decided('RUNNING'), fault },
    ]);
    expect(world.store.runs.get('r5')?.run.error).toMatchObject({ code: 'UNSTORABLE', stepId: 'a' });
    expect(world.store.attemptsOf('r8').map(({ stepId, status }) => [stepId, status])).toEqual([
      ['a', 'FAILED'],
      ['c', 'PENDING'],
    ]);
  });

  it('for a value and of no attempt fails its run', async () => {
    const { store, processBatch, addRun } = setUp();
    addRun('r1', { inputData: 'a\u0000' });
    addRun('r2');
    const outcomes = await processBatch(['r1', 'r2'].map((runId) => ({ runId, event: requested })));
    expect(outcomes).toMatchObject([decided('FAILED'), decided('RUNNING')]);
    expect(store.runs.get('r1')?.run.error).toMatchObject({ code: 'UNSTORABLE', stepId: null });
  });

  it('is told, and changes nothing, where not even its end can be saved', async () => {
    const world = await underWay();
    world.store.onSave = (changes) => {
      if (JSON.stringify(changes).includes('"r5"')) throw failure('UNIQUE_VIOLATION');
    };
    const outcomes = await world.processBatch(world.answers());
    expect(outcomes[4]).toEqual({ outcome: 'defect', reason: 'The store says UNIQUE_VIOLATION' });
    expect(world.statuses()).toEqual(RUNS.map(() => 'RUNNING'));
    expect(world.store.attemptsOf('r5').map(({ status }) => status)).toEqual(['RUNNING']);
    expect(world.store.attemptsOf('r6').map(({ status }) => status)).toEqual(['COMPLETED', 'RUNNING']);
  });

  it('of a call is told to who called, and its run stays as it was', async () => {
    const world = await underWay();
    world.store.onSave = ({ signalsKept }) => {
      if (signalsKept.length > 0) throw failure('CONSTRAINT_VIOLATION');
    };
    const event: EngineEvent = { type: 'signal_received', name: 's', signalId: 'x', payload: null };
    expect(await world.processBatch([{ runId: 'r1', event, audit: auditEntry }])).toEqual([
      { outcome: 'defect', reason: 'The store says CONSTRAINT_VIOLATION' },
    ]);
    expect(world.statuses()).toEqual(RUNS.map(() => 'RUNNING'));
  });

  it('of a call because it takes too long is told at once: who called may ask again', async () => {
    const world = await underWay();
    let tries = 0;
    world.store.onSave = () => {
      tries++;
      throw failure('STATEMENT_TIMEOUT');
    };
    const event = { type: 'pause_requested' } as const;
    const pausing = RUNS.map((runId) => ({ runId, event, audit: auditEntry }));
    await expect(world.processBatch(pausing)).rejects.toMatchObject({ code: 'OUT_OF_TIME' });
    expect(tries).toBe(1);
  });

  it('that asks a closed run to go on tells the parent that waits for it', async () => {
    const { store, processBatch, addRun } = setUp();
    addRun('parent');
    addRun('child');
    await processBatch([{ runId: 'parent', event: requested }]);
    const { stepExecutionId } = store.attemptsOf('parent')[0]!;
    const row = store.runs.get('child')!;
    const parent = { runId: 'parent', stepExecutionId: 'an earlier one' };
    store.runs.set('child', { ...row, run: { ...row.run, status: 'FAILED', wakeAt: null, parent } });
    store.onSave = ({ opened }) => {
      if (opened.some(({ runId }) => runId === 'child')) throw failure('UNIQUE_VIOLATION');
    };
    const event: EngineEvent = { type: 'retry_requested', parentStepExecutionId: stepExecutionId };
    expect(await processBatch([{ runId: 'child', event }])).toMatchObject([decided('FAILED')]);
    const answers = [...store.outbox.values()].flatMap(({ entry }) => entry.messages);
    expect(answers.filter(({ value }) => value.message_type === 'agent_result')).toMatchObject([
      { key: 'parent', value: { step_execution_id: stepExecutionId, error: { code: 'INTERNAL_ERROR' } } },
    ]);
  });
});

describe('a statement that took too long', () => {
  it('is the database’s fault where the run’s end takes too long as well: the batch comes again', async () => {
    const world = await underWay();
    world.store.onPoint = (point) => {
      if (point === 'save') throw failure('STATEMENT_TIMEOUT');
    };
    await expect(world.processBatch(world.answers())).rejects.toMatchObject({ code: 'STATEMENT_TIMEOUT' });
    expect(world.statuses()).toEqual(RUNS.map(() => 'RUNNING'));
  });

  it('and does so once of a record alone, is tried again', async () => {
    const world = await underWay();
    let left = 1;
    poison(world, 'r5', () => failure('STATEMENT_TIMEOUT'));
    const slow = world.store.onSave;
    world.store.onSave = (changes) => {
      if (left-- > 0) slow(changes);
    };
    expect(await world.processBatch([world.answer('r5', completed(1))])).toEqual([decided('RUNNING')]);
  });
});

describe('a defect', () => {
  it('of deciding ends its run, and its neighbours go on', async () => {
    const world = await underWay();
    const [first] = world.store.attemptsOf('r1');
    const row = world.store.attempts.get(first!.stepExecutionId)!;
    const attempt = { ...row.attempt, stepId: 'gone' };
    world.store.attempts.set(first!.stepExecutionId, { ...row, attempt });
    const outcomes = await world.processBatch(world.answers());
    const fault = { class: 'defect', reason: 'The plan has no step gone' };
    expect(outcomes[0]).toEqual({ ...decided('FAILED'), fault });
    expect(world.statuses()).toEqual(alone('r1'));
  });

  it('of the messages that are made ends its run', async () => {
    const world = await underWay();
    const row = world.store.runs.get('r3')!;
    // What no time can be made of: the task's deadline.
    const { steps } = twoSteps;
    const plan = definitionOf({ ...twoSteps, steps: { ...steps, b: { ...steps.b, timeout_seconds: 1 } } });
    world.store.addVersion('v-3', plan);
    world.store.runs.set('r3', { ...row, versionId: 'v-3' });
    const compiled = world.plans.add('v-3', plan);
    const b = compiled.steps.get('b')!;
    (compiled.steps as Map<string, typeof b>).set('b', { ...b, timeoutMs: 9e99 });
    const outcomes = await world.processBatch(world.answers());
    expect(outcomes[2]).toMatchObject({ ...decided('FAILED'), fault: { class: 'defect' } });
    expect(world.statuses()).toEqual(alone('r3'));
  });

  it('of a plan that cannot be compiled ends the runs that have it', async () => {
    const world = await underWay();
    const row = world.store.runs.get('r2')!;
    world.store.addVersion('v-4', { start_step: 'a' } as never);
    world.store.runs.set('r2', { ...row, versionId: 'v-4' });
    const outcomes = await world.processBatch(world.answers());
    expect(outcomes[1]).toMatchObject({ ...decided('FAILED'), fault: { class: 'defect' } });
    expect(world.statuses()).toEqual(alone('r2'));
  });

  it('of loading ends its run', async () => {
    const { store, processBatch, addRun } = setUp();
    const a = { ...twoSteps.steps.a, input_mapping: { v: '$.variables.v' } };
    store.addVersion('v-2', definitionOf({ ...twoSteps, steps: { ...twoSteps.steps, a } }));
    for (const runId of RUNS) addRun(runId, { versionId: 'v-2' });
    store.onLoad = (runIds) => {
      if (runIds.includes('r4')) throw new TypeError('no such row');
    };
    await processBatch(RUNS.map((runId) => ({ runId, event: requested })));
    expect(RUNS.map((runId) => store.runs.get(runId)?.run.status)).toEqual(alone('r4'));
  });
});

describe('what is transient', () => {
  it.each(['DATABASE_UNAVAILABLE', 'DATABASE_UNFIT', 'TRANSACTION_CONFLICT'])(
    'as %s brings the batch again, and ends nothing',
    async (code) => {
      const world = await underWay();
      poison(world, 'r5', () => failure(code));
      await expect(world.processBatch(world.answers())).rejects.toMatchObject({ code });
      expect(world.statuses()).toEqual(RUNS.map(() => 'RUNNING'));
    },
  );
});

describe('what a decision reads and was not loaded', () => {
  it('is loaded, and its record decided again, with those of its run that came after', async () => {
    const world = setUp();
    const { a, b } = twoSteps.steps;
    const reading = definitionOf({
      ...twoSteps,
      steps: { a: { ...a, input_mapping: { v: '$.variables.v' } }, b },
    });
    world.store.addVersion('v-r', reading);
    // As if the plan did not tell what its step reads.
    const plan = world.plans.add('v-r', reading);
    const step = plan.steps.get('a')!;
    const reads = { ...step.reads, variables: false };
    (plan.steps as Map<string, typeof step>).set('a', { ...step, reads });
    world.addRun('r1', { versionId: 'v-r', variables: { v: 7 } });
    world.addRun('r2');
    const items = ['r1', 'r2', 'r1'].map((runId) => ({ runId, event: requested }));
    expect(await world.processBatch(items)).toEqual([
      decided('RUNNING'),
      decided('RUNNING'),
      { outcome: 'refused', code: 'ALREADY_STARTED' },
    ]);
    expect(world.store.attemptsOf('r1').map(({ inputData }) => inputData)).toEqual([{ v: 7 }]);
    expect(world.store.asked.filter((point) => point === 'commit')).toHaveLength(2);
  });
});
