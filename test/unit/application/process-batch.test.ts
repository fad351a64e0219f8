import { describe, expect, it } from 'vitest';
import { type AgentRoute, agentKey } from '../../../shared/application/ports/agents.ts';
import type { EngineEvent } from '../../../shared/engine/event.ts';
import type { JsonObject } from '../../../shared/engine/json.ts';
import type { StorePoint } from '../../support/memory-store.ts';
import {
  cancelled,
  completed,
  decided,
  definitionOf,
  refusedWith,
  requested,
  setUp,
  T0,
  twoSteps,
} from '../../support/process-batch-harness.ts';

describe('processBatch', () => {
  it('decides each record, saves all in one transaction, then publishes what it committed', async () => {
    const { store, processBatch, published, addRun } = setUp();
    addRun('r1');
    addRun('r2');
    const outcomes = await processBatch([
      { runId: 'r1', event: requested },
      { runId: 'nowhere', event: requested },
      { runId: 'r2', event: requested },
    ]);
    expect(outcomes).toEqual([decided('RUNNING'), { outcome: 'unknown_run' }, decided('RUNNING')]);
    expect(store.asked).toEqual(['loadRuns', 'loadVersions', 'save', 'commit']);
    expect(published).toEqual([...store.outbox.values()].map(({ entry }) => entry));
    expect(published[0]?.messages.map(({ topic, key }) => [topic, key])).toEqual([
      ['orchestrator.tasks.http', 'id-1'],
      ['workflow.monitoring.updates', 'r1'],
      ['orchestrator.tasks.http', 'id-2'],
      ['workflow.monitoring.updates', 'r2'],
    ]);
  });

  it('asks for nothing where there is nothing to decide', async () => {
    const { store, processBatch } = setUp();
    expect(await processBatch([])).toEqual([]);
    expect(store.asked).toEqual([]);
  });

  it('knows a plan that it has compiled', async () => {
    const { store, processBatch, addRun } = setUp();
    addRun('r1');
    addRun('r2');
    await processBatch([{ runId: 'r1', event: requested }]);
    store.forget();
    await processBatch([{ runId: 'r2', event: requested }]);
    expect(store.asked).not.toContain('loadVersions');
  });

  it('decides each of more versions than it keeps compiled', async () => {
    const { store, processBatch, addRun } = setUp();
    const runIds = Array.from({ length: 1_001 }, (_, i) => `r${i}`);
    runIds.forEach((runId, i) => {
      store.addVersion(`version-${i}`, definitionOf({ ...twoSteps, name: `w${i}` }));
      addRun(runId, { versionId: `version-${i}` });
    });
    const outcomes = await processBatch(runIds.map((runId) => ({ runId, event: requested })));
    expect(outcomes.filter(({ outcome }) => outcome !== 'decided')).toEqual([]);
  });

  it('decides records of one run one after another, each on the state that the one before left', async () => {
    const { store, processBatch, published, addRun, answer } = setUp();
    addRun('r1');
    await processBatch([{ runId: 'r1', event: requested }]);
    const answered = answer('r1', completed({ rows: 3 }));
    published.splice(0);
    expect(
      await processBatch([
        answered,
        answered,
        { runId: 'r1', event: cancelled },
        { runId: 'r1', event: cancelled },
        { runId: 'r1', event: { type: 'retry_requested' } },
      ]),
    ).toEqual([
      decided('RUNNING'),
      refusedWith('ATTEMPT_CLOSED'),
      decided('CANCELLED'),
      refusedWith('RUN_CLOSED'),
      decided('RUNNING'),
    ]);
    // A retry comes first of its run: it has a transaction of its own.
    expect(published).toHaveLength(2);
    const messages = published.flatMap((entry) => entry.messages);
    const updates = messages.filter(({ value }) => value.message_type === 'monitoring_update');
    expect(
      updates.map(({ value }) =>
        (value.transitions as JsonObject[]).map((told) => [
          told.sequence,
          told.status,
          told.step_id,
          told.step_status,
        ]),
      ),
    ).toEqual([
      [
        [3, 'RUNNING', 'a', 'COMPLETED'],
        [4, 'RUNNING', 'b', 'RUNNING'],
        [5, 'RUNNING', 'b', 'CANCELLED'],
        [6, 'CANCELLED', null, null],
      ],
      [
        [7, 'RUNNING', null, null],
        [8, 'RUNNING', 'b', 'PENDING'],
      ],
    ]);
    expect(
      store.attemptsOf('r1').map(({ stepId, status, inputData }) => [stepId, status, inputData]),
    ).toEqual([
      ['a', 'COMPLETED', { i: { n: 'r1' } }],
      ['b', 'CANCELLED', { before: { rows: 3 } }],
      ['b', 'PENDING', null],
    ]);
  });

  it('publishes nothing and writes nothing where all is refused', async () => {
    const { store, processBatch, published, addRun } = setUp();
    addRun('r1', {});
    await processBatch([{ runId: 'r1', event: requested }]);
    store.forget();
    published.splice(0);
    expect(await processBatch([{ runId: 'r1', event: requested }])).toEqual([refusedWith('ALREADY_STARTED')]);
    expect(store.asked).not.toContain('save');
    expect(published).toEqual([]);
  });

  it('I5: publishes nothing that was not committed', async () => {
    const { store, processBatch, published, addRun } = setUp();
    addRun('r1');
    store.onPoint = (point: StorePoint) => {
      if (point === 'commit') throw Object.assign(new Error('gone'), { code: 'DATABASE_UNAVAILABLE' });
    };
    await expect(processBatch([{ runId: 'r1', event: requested }])).rejects.toMatchObject({
      code: 'DATABASE_UNAVAILABLE',
    });
    expect(published).toEqual([]);
    expect(store.runs.get('r1')?.run.status).toBe('PENDING');
  });

  it.each([
    [5, true],
    [6, false],
  ])('after %i conflicts with others it has decided: %s', async (conflicts, hasDecided) => {
    const { store, processBatch, addRun } = setUp();
    addRun('r1');
    let left = conflicts;
    store.onPoint = (point: StorePoint) => {
      if (point === 'save' && left-- > 0) throw Object.assign(new Error(), { code: 'TRANSACTION_CONFLICT' });
    };
    const outcome = processBatch([{ runId: 'r1', event: requested }]);
    if (hasDecided) expect(await outcome).toEqual([decided('RUNNING')]);
    else await expect(outcome).rejects.toMatchObject({ code: 'TRANSACTION_CONFLICT' });
  });
});

describe('a run without a plan', () => {
  const plan = { workflow_id: 'wf-theirs-1', version: '1', ...twoSteps } as JsonObject;

  it('does nothing but end', async () => {
    const { processBatch, addRun } = setUp();
    addRun('r1', { versionId: null });
    const wake: EngineEvent = { type: 'woken', stepExecutionId: null, at: T0 };
    expect(await processBatch([requested, wake, cancelled].map((event) => ({ runId: 'r1', event })))).toEqual(
      [refusedWith('NO_PLAN'), refusedWith('NO_PLAN'), decided('CANCELLED')],
    );
  });

  it('takes the plan of its request, which is stored with it', async () => {
    const { store, processBatch, addRun } = setUp();
    addRun('r1', { versionId: null });
    addRun('r2', { versionId: null });
    const outcomes = await processBatch(
      ['r1', 'r2'].map((runId) => ({ runId, event: requested, inlinePlan: plan })),
    );
    expect(outcomes).toEqual([decided('RUNNING'), decided('RUNNING')]);
    expect(store.asked.filter((point) => point === 'storeInlinePlans')).toHaveLength(1);
    const versionId = store.runs.get('r1')?.versionId as string;
    expect(store.versions.get(versionId)?.definition).toEqual(definitionOf(twoSteps));
    expect(store.runs.get('r2')?.versionId).toBe(versionId);
  });

  it('fails where that is not valid, and says what is wrong', async () => {
    const { store, processBatch, addRun } = setUp();
    addRun('r1', { versionId: null });
    const inlinePlan = { ...plan, start_step: 'z' };
    expect(await processBatch([{ runId: 'r1', event: requested, inlinePlan }])).toEqual([decided('FAILED')]);
    expect(store.runs.get('r1')?.run.error).toEqual({
      code: 'INVALID_PLAN',
      message:
        'The workflow_plan of the execution request is not valid: start_step: expected the id of a step, got "z"',
      stepId: null,
      attempt: null,
    });
    expect(store.asked).not.toContain('storeInlinePlans');
  });

  it('fails where reading the record changed the plan', async () => {
    const { store, processBatch, addRun } = setUp();
    addRun('r1', { versionId: null });
    const inlinePlanLosses = [{ path: 'steps.a.input_mapping.id', message: 'another number' }];
    const item = { runId: 'r1', event: requested, inlinePlan: plan, inlinePlanLosses };
    expect(await processBatch([item])).toEqual([decided('FAILED')]);
    expect(store.runs.get('r1')?.run.error?.message).toBe(
      'The workflow_plan of the execution request is not valid: steps.a.input_mapping.id: another number',
    );
  });

  it('that has one already does not look at what a record carries', async () => {
    const { store, processBatch, addRun } = setUp();
    addRun('r1');
    const outcomes = await processBatch([{ runId: 'r1', event: requested, inlinePlan: { start_step: 'z' } }]);
    expect(outcomes).toEqual([decided('RUNNING')]);
    expect(store.runs.get('r1')?.versionId).toBe('v-1');
  });
});

describe('an event from nobody in particular', () => {
  const forged = { event: cancelled, onlyOfNobody: true } as const;

  it("changes a run without an owner, and no owner's", async () => {
    const { store, processBatch, addRun } = setUp();
    addRun('r1');
    addRun('r2', { owner: null });
    expect(await processBatch(['r1', 'r2'].map((runId) => ({ runId, ...forged })))).toEqual([
      { outcome: 'unauthorised' },
      decided('CANCELLED'),
    ]);
    expect(store.runs.get('r1')?.run.status).toBe('PENDING');
  });

  it('ends no run by what fails on the way, either', async () => {
    const { store, processBatch, addRun } = setUp();
    addRun('r1');
    let failures = 0;
    store.onPoint = (point: StorePoint) => {
      if (point === 'loadRuns' && failures++ === 0) throw new Error('a defect');
    };
    expect(await processBatch([{ runId: 'r1', ...forged }])).toEqual([
      { outcome: 'defect', reason: 'a defect' },
    ]);
    expect(failures).toBeGreaterThan(0);
    expect(store.runs.get('r1')?.run.status).toBe('PENDING');
  });

  it('is of no account where nothing would change', async () => {
    const { processBatch, addRun } = setUp();
    addRun('r1');
    await processBatch([{ runId: 'r1', event: cancelled }]);
    expect(await processBatch([{ runId: 'r1', ...forged }])).toEqual([refusedWith('RUN_CLOSED')]);
  });
});

describe('tasks', () => {
  const kafka: AgentRoute = { kind: 'kafka', address: 'agent.x', timeoutSeconds: null };

  it('name their agent as the run’s owner sees it, and are published with the routes of the table', async () => {
    const { store, processBatch, published, routes, addRun } = setUp();
    store.routes.set(agentKey({ owner: null, name: 'x' }), kafka);
    addRun('r1');
    addRun('r2', { owner: null });
    await processBatch(['r1', 'r2'].map((runId) => ({ runId, event: requested })));
    const tasks = published[0]!.messages.filter(({ taskOf }) => taskOf);
    expect(tasks.map(({ topic, taskOf }) => [topic, taskOf])).toEqual([
      ['orchestrator.tasks.http', { owner: 'ann', name: 'x', timeoutMs: null }],
      ['orchestrator.tasks.http', { owner: null, name: 'x', timeoutMs: null }],
    ]);
    expect(routes).toEqual([
      new Map([
        [agentKey({ owner: 'ann', name: 'x' }), kafka],
        [agentKey({ owner: null, name: 'x' }), kafka],
      ]),
    ]);
  });

  it('where a batch has none, no routes are asked for', async () => {
    const { processBatch, routes, addRun } = setUp();
    addRun('r1');
    await processBatch([{ runId: 'r1', event: cancelled }]);
    expect(routes).toEqual([new Map()]);
  });
});
