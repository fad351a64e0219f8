import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { NO_ATTEMPTS } from '../../../shared/application/attempt-query.ts';
import { createChangeRun } from '../../../shared/application/change-run.ts';
import { createSetWorkflowPaused } from '../../../shared/application/pause-workflow.ts';
import type { LoadedRun } from '../../../shared/application/ports/run-store.ts';
import type { AgentFailure, AgentOutcome } from '../../../shared/engine/event.ts';
import type { Json } from '../../../shared/engine/json.ts';
import type { AgentResult } from '../../../shared/messages/messages.ts';
import { createAgentCalls } from '../../../shared/persistence/agent-calls.ts';
import type { Statements } from '../../../shared/persistence/database.ts';
import { loadRuns } from '../../../shared/persistence/load-runs.ts';
import { createRunBatches } from '../../../shared/persistence/run-batches.ts';
import { findRunsUnlikeTheirWorkflows } from '../../../shared/persistence/runs-unlike-their-workflows.ts';
import { saveChanges } from '../../../shared/persistence/save-changes.ts';
import { createWorkflows } from '../../../shared/persistence/workflows.ts';
import { auditEntry } from '../../support/audit-entry.ts';
import { NO_CHANGES } from '../../support/changes.ts';
import { type EngineHarness, openEngineHarness, sequence, topics } from '../../support/engine-harness.ts';

/** What steps start, what pauses hold and what retries go on with, in the tables. */

let engine: EngineHarness;
beforeAll(async () => {
  engine = await openEngineHarness(inject('databaseUrl'));
});
afterAll(() => engine?.close());

const requested = { type: 'execution_requested' } as const;
const completed = (output: Json): AgentOutcome => ({ status: 'completed', output });
const failed: AgentOutcome = { status: 'failed', error: { code: 'BAD', message: 'no', retryable: false } };
const running = { outcome: 'decided', status: 'RUNNING' } as const;
const refused = (code: string) => ({ outcome: 'refused', code });

async function runOf(definition: object, owner?: string): Promise<string> {
  const { workflowId } = await engine.registerWorkflow(definition, owner);
  const runId = await engine.start(workflowId, { input: { n: 1 } });
  await engine.decide(runId, requested);
  return runId;
}

const parentOf = (workflow: object) => ({
  name: `parent-${randomUUID()}`,
  start_step: 'child',
  retry: [],
  steps: { child: { type: 'workflow', input_mapping: { got: '$.workflow_input.n' }, ...workflow } },
});

describe('a child run', () => {
  it('is inserted with its request, by the latest version, as its parent’s owner’s', async () => {
    const child = sequence(['a']);
    const { workflowId, versionId } = await engine.registerWorkflow(child);
    const { workflowId: parentWorkflow } = await engine.registerWorkflow(
      parentOf({ workflow_name: child.name }),
    );
    const parent = await engine.start(parentWorkflow, { input: { n: 1 } });
    await engine.database.execute('update workflow_runs set community_id = 7 where run_id = $1', [parent]);
    expect(await engine.decide(parent, requested)).toEqual(running);

    const [attempt] = await engine.attemptRows(parent);
    const childRunId = attempt?.child_run_id as string;
    expect(attempt).toMatchObject({ status: 'RUNNING', agent_name: '', input_data: { got: 1 } });
    expect(await engine.runRow(childRunId)).toMatchObject({
      id: childRunId.slice('run-'.length),
      status: 'PENDING',
      workflow_id: `wf-${child.name}-1`,
      workflow_name: child.name,
      workflow_definition_id: workflowId,
      workflow_version_id: versionId,
      version: 1,
      owner: 'ann',
      triggered_by: 'ann',
      community_id: 7,
      input_data: { got: 1 },
      depth: 1,
      parent_run_id: parent,
      parent_step_execution_id: attempt?.step_execution_id,
      wake_at: expect.any(Date),
      paused_at: null,
    });
    const request = engine.broker.published.find(({ key }) => key === childRunId);
    expect(request).toMatchObject({
      topic: topics.executionRequests,
      value: { message_type: 'execution_request', run_id: childRunId, input_data: { got: 1 } },
    });

    await engine.decide(childRunId, requested);
    await engine.answer(childRunId, completed('done'));
    const answer = engine.broker.published.findLast(({ topic }) => topic === topics.results);
    expect(answer).toMatchObject({
      key: parent,
      value: {
        message_type: 'agent_result',
        step_execution_id: attempt?.step_execution_id,
        status: 'completed',
        output_data: 'done',
        result_token: `token-of-${attempt?.step_execution_id as string}`,
      },
    });
  });

  it('is cancelled with its parent, and retried with it', async () => {
    const child = sequence(['a'], { retry: [] });
    await engine.registerWorkflow(child);
    const parent = await runOf(parentOf({ workflow_name: child.name }));
    const [{ child_run_id: childRunId, step_execution_id: waiting } = {}] = await engine.attemptRows(parent);
    await engine.decide(childRunId as string, requested);
    await engine.answer(childRunId as string, failed);
    await engine.answer(parent, failed);
    expect(await engine.runRow(parent)).toMatchObject({ status: 'FAILED' });

    expect(await engine.decide(parent, { type: 'retry_requested' })).toEqual(running);
    const retry = engine.broker.published.findLast(({ key }) => key === childRunId);
    const again = (await engine.attemptRows(parent))[1];
    expect(again).toMatchObject({ attempt: 2, child_run_id: childRunId, input_data: { got: 1 } });
    expect(again?.step_execution_id).not.toBe(waiting);
    expect(retry?.value).toMatchObject({
      message_type: 'retry_request',
      run_id: childRunId,
      step_execution_id: again?.step_execution_id,
    });
    const event = {
      type: 'retry_requested',
      parentStepExecutionId: again?.step_execution_id as string,
    } as const;
    expect(await engine.decide(childRunId as string, event)).toEqual(running);
    expect(await engine.runRow(childRunId as string)).toMatchObject({
      status: 'RUNNING',
      parent_step_execution_id: again?.step_execution_id,
    });

    await engine.decide(parent, { type: 'cancellation_requested', by: 'bob', reason: null });
    const cancellation = engine.broker.published.findLast(
      ({ topic, key }) => topic === topics.cancellationRequests && key === childRunId,
    );
    expect(cancellation?.value).toMatchObject({
      message_type: 'cancellation_request',
      run_id: childRunId,
      cancellation_token: expect.any(String),
    });
  });

  it('is cancelled by a record without a token, as the release before writes it, where nobody waits for it', async () => {
    const child = sequence(['a']);
    await engine.registerWorkflow(child);
    const parent = await runOf(parentOf({ workflow_name: child.name }));
    const childRunId = (await engine.attemptRows(parent))[0]?.child_run_id as string;
    const cancelled = { type: 'cancellation_requested', by: null, reason: null, announced: true } as const;
    const forged = { runId: childRunId, event: cancelled, onlyOfNobody: true } as const;
    // In one batch with what is right, too.
    const right = { runId: childRunId, event: { type: 'execution_requested' } } as const;
    expect(await engine.processBatch([right, forged])).toEqual([
      { outcome: 'decided', status: 'RUNNING' },
      { outcome: 'unauthorised' },
    ]);
    await engine.decide(parent, { type: 'cancellation_requested', by: 'bob', reason: null });
    expect(await engine.processBatch([forged])).toEqual([{ outcome: 'decided', status: 'CANCELLED' }]);
  });

  it.each<[string, AgentOutcome | null, object, object]>([
    ['completed', completed('done'), { status: 'completed', output_data: 'done' }, { output_data: 'done' }],
    ['failed', failed, { status: 'failed', error: { code: 'BAD', retryable: true } }, { error_code: 'BAD' }],
    [
      'was cancelled',
      null,
      { status: 'failed', error: { code: 'CANCELLED', retryable: false } },
      { error_code: 'CANCELLED' },
    ],
  ])('I7: that %s answers again when its parent asks, and is as it was', async (_, outcome, answer, end) => {
    const child = sequence(['a'], { retry: [] });
    await engine.registerWorkflow(child);
    const parent = await runOf(parentOf({ workflow_name: child.name, next_step: null, retry: [] }));
    const [{ child_run_id, step_execution_id, due_at, wake_at } = {}] = await engine.attemptRows(parent);
    const childRunId = child_run_id as string;
    const id = step_execution_id as string;
    expect(due_at).toEqual(wake_at);
    expect(due_at).toEqual(expect.any(Date));
    const woken = { type: 'woken', stepExecutionId: id, at: (due_at as Date).getTime() } as const;
    const asked = { type: 'answer_requested', parentStepExecutionId: id } as const;

    await engine.decide(childRunId, requested);
    expect(await engine.decide(parent, { ...woken, at: woken.at - 1 })).toEqual(refused('NOT_DUE'));
    expect(await engine.decide(parent, woken)).toEqual(running);
    expect(engine.broker.published.findLast(({ topic }) => topic === topics.stepRequests)).toMatchObject({
      topic: topics.stepRequests,
      key: childRunId,
      value: { message_type: 'retry_request', step_execution_id: id, is_reminder: true },
    });
    expect(await engine.decide(childRunId, asked)).toEqual(refused('RUN_OPEN'));

    if (outcome === null)
      await engine.decide(childRunId, { type: 'cancellation_requested', by: 'bob', reason: null });
    else await engine.answer(childRunId, outcome);
    const row = await engine.runRow(childRunId);
    // What it told its parent is lost.
    const toParent = () =>
      engine.broker.published.filter(({ topic, key }) => topic === topics.results && key === parent);
    const before = toParent().length;
    expect(await engine.decide(childRunId, asked)).toEqual({ outcome: 'decided', status: row.status });
    expect(toParent()).toHaveLength(before + 1);
    expect(toParent().at(-1)?.value).toMatchObject({
      ...answer,
      step_execution_id: id,
      result_token: `token-of-${id}`,
    });
    expect(await engine.runRow(childRunId)).toEqual(row);

    const told = toParent().at(-1)!.value as unknown as AgentResult;
    await engine.decide(parent, {
      type: 'agent_answered',
      stepExecutionId: id,
      attempt: null,
      logs: null,
      outcome:
        told.status === 'completed'
          ? { status: 'completed', output: told.output_data ?? null }
          : { status: 'failed', error: told.error as AgentFailure },
    });
    expect(await engine.runRow(parent)).toMatchObject(end);
    expect(await engine.decide(childRunId, asked)).toEqual(refused('PARENT_NOT_WAITING'));
  });

  describe('whose parent is retried and cancelled at once', () => {
    const messageTo = (key: string, type: string) =>
      engine.broker.published.findLast(({ key: of, value }) => of === key && value.message_type === type)!
        .value;
    /** As functions/step-executor/item-of-record.ts reads them. */
    async function askedAndCancelled() {
      const child = sequence(['a'], { retry: [] });
      await engine.registerWorkflow(child);
      const parent = await runOf(parentOf({ workflow_name: child.name }));
      const [{ child_run_id } = {}] = await engine.attemptRows(parent);
      const childRunId = child_run_id as string;
      await engine.decide(childRunId, requested);
      await engine.answer(childRunId, failed);
      await engine.answer(parent, failed);
      await engine.decide(parent, { type: 'retry_requested' });
      const { step_execution_id, previous_step_execution_id, ...asked } = messageTo(
        childRunId,
        'retry_request',
      );
      const retry = {
        type: 'retry_requested',
        parentStepExecutionId: step_execution_id as string,
        previousParentStepExecutionId: previous_step_execution_id as string,
        requestedAt: Date.parse(asked.timestamp as string),
      } as const;
      const cancelParent = async () => {
        await engine.decide(parent, { type: 'cancellation_requested', by: 'bob', reason: null });
        const requestedAt = Date.parse(messageTo(childRunId, 'cancellation_request').timestamp as string);
        return {
          type: 'cancellation_requested',
          by: null,
          reason: null,
          announced: true,
          requestedAt,
        } as const;
      };
      return { childRunId, retry, cancelParent };
    }

    it('stays closed where it reads of the cancellation first', async () => {
      const { childRunId, retry, cancelParent } = await askedAndCancelled();
      expect(await engine.decide(childRunId, await cancelParent())).toMatchObject({ code: 'RUN_CLOSED' });
      expect(await engine.decide(childRunId, retry)).toEqual({
        outcome: 'refused',
        code: 'PARENT_NOT_WAITING',
      });
      expect(await engine.runRow(childRunId)).toMatchObject({ status: 'FAILED' });
    });

    it('is cancelled where it goes on before the cancellation is committed, and later than it was asked for', async () => {
      const { childRunId, retry, cancelParent } = await askedAndCancelled();
      engine.clockOffsetMs = 5_000;
      expect(await engine.decide(childRunId, retry)).toEqual(running);
      engine.clockOffsetMs = 0;
      expect(await engine.decide(childRunId, await cancelParent())).toEqual({
        outcome: 'decided',
        status: 'CANCELLED',
      });
    });
  });

  it.each<[string, object, (name: string) => Promise<unknown>]>([
    ['that nobody has', {}, async () => {}],
    ['of another owner', {}, (name) => engine.registerWorkflow({ ...sequence(['a']), name }, 'bob')],
    [
      'of a version that is not there',
      { version: 2 },
      (name) => engine.registerWorkflow({ ...sequence(['a']), name }),
    ],
    [
      'that is archived',
      {},
      async (name) => {
        const { workflowId } = await engine.registerWorkflow({ ...sequence(['a']), name });
        await engine.database.execute('update workflows set archived_at = now() where id = $1', [workflowId]);
      },
    ],
  ])('of a workflow %s is not started', async (_, given, prepare) => {
    const name = `other-${randomUUID()}`;
    await prepare(name);
    const parent = await runOf(parentOf({ workflow_name: name, ...given }));
    expect(await engine.runRow(parent)).toMatchObject({ status: 'FAILED', error_code: 'WORKFLOW_NOT_FOUND' });
  });

  it('of an older version is started by its number', async () => {
    const name = `other-${randomUUID()}`;
    for (const stepId of ['a', 'b']) await engine.registerWorkflow({ ...sequence([stepId]), name });
    const parent = await runOf(parentOf({ workflow_name: name, version: 1 }));
    const [{ child_run_id: childRunId } = {}] = await engine.attemptRows(parent);
    expect(await engine.runRow(childRunId as string)).toMatchObject({
      version: 1,
      workflow_id: `wf-${name}-1`,
    });
  });
});

const ann = { userId: 'ann', isAdmin: false, communities: [] };
const pausing = () =>
  createSetWorkflowPaused({
    workflows: createWorkflows(engine.database),
    runs: createRunBatches(engine.database),
    changeRun: createChangeRun(engine.processBatch, createAgentCalls(engine.database)),
  });

describe('a pause', () => {
  it('holds what follows, and lets it go on at the resume', async () => {
    const runId = await runOf(sequence(['a', 'b']));
    expect(await engine.decide(runId, { type: 'pause_requested' })).toEqual(running);
    expect(await engine.runRow(runId)).toMatchObject({ status: 'RUNNING', execution_status: 'PAUSED' });
    await engine.answer(runId, completed(1));
    const [, held] = await engine.attemptRows(runId);
    expect(held).toMatchObject({ step_id: 'b', status: 'PENDING', wake_at: null, input_data: null });
    const stepExecutionId = held?.step_execution_id as string;
    expect(await engine.decide(runId, { type: 'step_requested', stepExecutionId })).toEqual({
      outcome: 'refused',
      code: 'RUN_PAUSED',
    });

    expect(await engine.decide(runId, { type: 'resume_requested' })).toEqual(running);
    expect(await engine.runRow(runId)).toMatchObject({ paused_at: null, execution_status: 'RUNNING' });
    expect(
      engine.broker.published.findLast(({ topic }) => topic === topics.stepRequests)?.value,
    ).toMatchObject({
      message_type: 'step_request',
      step_execution_id: stepExecutionId,
    });
    expect((await engine.attemptRows(runId))[1]).toMatchObject({ wake_at: expect.any(Date) });
    await engine.decide(runId, { type: 'step_requested', stepExecutionId });
    await engine.answer(runId, completed('end'));
    expect(await engine.runRow(runId)).toMatchObject({ status: 'COMPLETED', output_data: 'end' });
  });

  it('of a workflow holds its open runs and those that begin later, until it is resumed', async () => {
    const setPaused = pausing();
    const { workflowId } = await engine.registerWorkflow(sequence(['a']));
    const open = await Promise.all(Array.from({ length: 3 }, () => engine.start(workflowId)));
    const ended = await engine.start(workflowId);
    await engine.decide(ended, { type: 'cancellation_requested', by: null, reason: null });

    expect(await setPaused(ann, workflowId, true, auditEntry)).toEqual({ isChanged: true, runs: 3 });
    expect(await setPaused(ann, workflowId, true, auditEntry)).toEqual({ isChanged: false, runs: 0 });
    const later = await engine.start(workflowId);
    expect(await engine.decide(later, requested)).toEqual({ outcome: 'refused', code: 'RUN_PAUSED' });
    const statuses = async () => {
      const rows = await Promise.all([...open, later, ended].map((runId) => engine.runRow(runId)));
      return rows.map(({ execution_status }) => execution_status);
    };
    expect(await statuses()).toEqual(['PAUSED', 'PAUSED', 'PAUSED', 'PAUSED', 'CANCELLED']);

    expect(await setPaused(ann, workflowId, false, auditEntry)).toEqual({ isChanged: true, runs: 4 });
    expect(await statuses()).toEqual(['PENDING', 'PENDING', 'PENDING', 'PENDING', 'CANCELLED']);
    expect(await engine.decide(later, requested)).toEqual(running);
  });

  it('of a workflow holds what is paused by itself too, which its resume leaves so', async () => {
    const setPaused = pausing();
    const { workflowId } = await engine.registerWorkflow(sequence(['a']));
    const [one, other, third] = [
      await engine.start(workflowId),
      await engine.start(workflowId),
      await engine.start(workflowId),
    ];
    const heldBy = async () =>
      Promise.all([one, other, third].map(async (runId) => (await engine.runRow(runId)).held_by));
    await engine.decide(one, { type: 'pause_requested' });
    expect(await heldBy()).toEqual(['run', null, null]);
    expect(await setPaused(ann, workflowId, true, auditEntry)).toEqual({ isChanged: true, runs: 3 });
    await engine.decide(third, { type: 'pause_requested' });
    expect(await heldBy()).toEqual(['both', 'workflow', 'both']);
    expect(await engine.decide(other, { type: 'resume_requested' })).toEqual({
      outcome: 'refused',
      code: 'RUN_NOT_PAUSED',
    });
    await engine.decide(third, { type: 'resume_requested' });
    expect(await setPaused(ann, workflowId, false, auditEntry)).toEqual({ isChanged: true, runs: 3 });
    expect(await heldBy()).toEqual(['run', null, null]);
    const outcomes = [];
    for (const runId of [one, other, third]) outcomes.push(await engine.decide(runId, requested));
    expect(outcomes).toEqual([{ outcome: 'refused', code: 'RUN_PAUSED' }, running, running]);
    await engine.decide(one, { type: 'resume_requested' });
    expect(await engine.decide(one, requested)).toEqual(running);
  });

  it('of a workflow holds a run that was being inserted, and its resume one that was', async () => {
    const setPaused = pausing();
    const { workflowId } = await engine.registerWorkflow(sequence(['a']));
    const statusOf = async (runId: string) => (await engine.runRow(runId)).execution_status;
    /** What another transaction had read before. */
    const insertedAs = async (row: string) => {
      const runId = await engine.start(workflowId);
      await engine.database.execute(`update workflow_runs set ${row} where run_id = $1`, [runId]);
      return runId;
    };
    await setPaused(ann, workflowId, true, auditEntry);
    const overlooked = await insertedAs('paused_at = null, held_by = null');
    expect(await engine.decide(overlooked, requested)).toMatchObject({ outcome: 'decided' });
    expect([await statusOf(overlooked), await engine.attemptRows(overlooked)]).toEqual(['PAUSED', []]);
    expect(await setPaused(ann, workflowId, false, auditEntry)).toEqual({ isChanged: true, runs: 1 });
    expect(await engine.decide(overlooked, requested)).toEqual(running);

    const left = await insertedAs(`paused_at = now(), held_by = 'workflow'`);
    expect(await engine.decide(left, requested)).toEqual(running);
    expect(await statusOf(left)).toBe('RUNNING');
  });

  it('I7: of a workflow that ended half-way is gone on with by what wakes its runs', async () => {
    const workflows = createWorkflows(engine.database);
    const { workflowId } = await engine.registerWorkflow(sequence(['a']));
    const begun = async () => {
      const runId = await engine.start(workflowId);
      await engine.decide(runId, requested);
      return runId;
    };
    const [first, second, own] = [await begun(), await begun(), await begun()];
    await engine.decide(own, { type: 'pause_requested' });
    const unlike = async () =>
      [...(await findRunsUnlikeTheirWorkflows(engine.database, { limit: 10 }))].sort();
    const woken = (runId: string) =>
      engine.decide(runId, { type: 'woken', stepExecutionId: null, at: Date.now() });
    const heldBy = (runIds: readonly string[]) =>
      Promise.all(runIds.map(async (runId) => (await engine.runRow(runId)).held_by));
    expect(await unlike()).toEqual([]);

    await workflows.setPaused(ann, workflowId, true, auditEntry);
    // Somebody is at it.
    expect(await unlike()).toEqual([]);
    await engine.database.execute(
      `update workflows set paused_at = now() - interval '1 minute' where id = $1`,
      [workflowId],
    );
    expect(await unlike()).toEqual([first, second, own].sort());
    for (const runId of [first, second, own]) expect(await woken(runId)).toEqual(running);
    expect(await heldBy([first, second, own])).toEqual(['workflow', 'workflow', 'both']);
    expect(await unlike()).toEqual([]);
    expect(await woken(first)).toEqual(refused('RUN_PAUSED'));

    // One of them comes to its last step meanwhile.
    await engine.answer(first, completed('done'));
    expect(await engine.runRow(first)).toMatchObject({ status: 'RUNNING', execution_status: 'PAUSED' });
    await workflows.setPaused(ann, workflowId, false, auditEntry);
    expect(await unlike()).toEqual([first, second, own].sort());
    expect(await woken(first)).toEqual({ outcome: 'decided', status: 'COMPLETED' });
    for (const runId of [second, own]) expect(await woken(runId)).toEqual(running);
    expect(await engine.runRow(first)).toMatchObject({ status: 'COMPLETED', output_data: 'done' });
    expect(await heldBy([first, second, own])).toEqual([null, null, 'run']);
    expect(await unlike()).toEqual([]);
  });

  it.each<[string, AgentOutcome, object]>([
    ['completes', completed({ n: 1 }), { status: 'COMPLETED', output_data: { n: 1 }, error_code: null }],
    [
      'fails',
      failed,
      {
        status: 'FAILED',
        error_code: 'BAD',
        error_message: 'Step "a" failed with BAD on attempt 1: no',
        error_step_id: 'a',
        error_attempt: 1,
      },
    ],
  ])('of a run whose last step %s meanwhile: that is its end when it is resumed', async (_, outcome, end) => {
    const runId = await runOf(sequence(['a'], { retry: [] }));
    await engine.decide(runId, { type: 'pause_requested' });
    expect(await engine.answer(runId, outcome)).toEqual(running);
    expect(await engine.runRow(runId)).toMatchObject({ status: 'RUNNING', completed_at: null });
    const { status } = end as { status: string };
    expect(await engine.attemptRows(runId)).toMatchObject([{ status }]);
    expect(await engine.decide(runId, { type: 'resume_requested' })).toEqual({ outcome: 'decided', status });
    expect(await engine.runRow(runId)).toMatchObject({
      ...end,
      paused_at: null,
      completed_at: expect.any(Date),
    });
  });

  it('of a workflow waits for the beginnings that are being decided, and finds their runs', async () => {
    const setPaused = pausing();
    const { workflowId } = await engine.registerWorkflow(sequence(['a']));
    const runId = await engine.start(workflowId);
    const other = engine.environment();
    let isPaused = false;
    const { promise: decided, resolve: decide } = Promise.withResolvers<void>();
    const { promise: locked, resolve: lock } = Promise.withResolvers<void>();
    const begin = async (statements: Statements) => {
      const query = { runIds: [runId], woken: [], attempts: NO_ATTEMPTS };
      const [loaded] = (await loadRuns(statements, query)).runs as [LoadedRun];
      return (workflowWasPaused: boolean) => {
        const { sequence } = loaded.run;
        const run = { ...loaded.run, status: 'RUNNING', sequence: sequence + 1 } as const;
        const { status: statusWas } = loaded.run;
        const change = { run, was: sequence, statusWas, workflowWasPaused, versionId: loaded.versionId };
        return saveChanges(
          statements,
          { ...NO_CHANGES, changed: [change] },
          { id: randomUUID(), messages: [] },
        );
      };
    };
    const decidedTooLate = await begin(engine.environment().database);
    const beginning = other.database.transaction(async (statements) => {
      await (await begin(statements))(false);
      lock();
      await decided;
    });
    await locked;
    const pausing_ = setPaused(ann, workflowId, true, auditEntry).then((paused) => {
      isPaused = true;
      return paused;
    });
    await sleep(200);
    expect(isPaused).toBe(false);
    decide();
    await beginning;
    expect(await pausing_).toEqual({ isChanged: true, runs: 1 });
    expect(await engine.runRow(runId)).toMatchObject({ execution_status: 'PAUSED', held_by: 'workflow' });
    await expect(decidedTooLate(false)).rejects.toMatchObject({ code: 'RUNS_MOVED_ON', runIds: [runId] });
  });

  it('of a workflow that is paused since it was read is not for its runs', async () => {
    const setPaused = pausing();
    const { workflowId } = await engine.registerWorkflow(sequence(['a']));
    const runId = await engine.start(workflowId);
    const { runs } = await loadRuns(engine.database, { runIds: [runId], woken: [], attempts: NO_ATTEMPTS });
    const [{ run, versionId }] = runs as [LoadedRun];
    // Without a look at the run itself: a pause of the workflow holds it too.
    await engine.database.execute('update workflows set paused_at = now() where id = $1', [workflowId]);
    const change = {
      run: { ...run, sequence: run.sequence + 1 },
      was: run.sequence,
      statusWas: run.status,
      versionId,
    };
    const save = (workflowWasPaused: boolean) =>
      saveChanges(
        engine.database,
        { ...NO_CHANGES, changed: [{ ...change, workflowWasPaused }] },
        { id: randomUUID(), messages: [] },
      );
    await expect(save(false)).rejects.toMatchObject({ code: 'RUNS_MOVED_ON', runIds: [runId] });
    await save(true);
    await setPaused(ann, workflowId, false, auditEntry);
  });

  it('of a workflow holds every run, whatever begins at the same time', async () => {
    const setPaused = pausing();
    const { workflowId } = await engine.registerWorkflow(sequence(['a']));
    const others = Array.from({ length: 4 }, () => engine.environment());
    const begun = others.flatMap((environment) =>
      Array.from({ length: 6 }, async (_, i) => {
        await sleep(i * 5);
        const runId = await engine.start(workflowId);
        await environment.decide(runId, requested);
        return runId;
      }),
    );
    for (const isPaused of [true, false, true]) {
      await sleep(7);
      await setPaused(ann, workflowId, isPaused, auditEntry);
    }
    const runIds = await Promise.all(begun);
    const heldBy = async () =>
      new Set(await Promise.all(runIds.map(async (runId) => (await engine.runRow(runId)).held_by)));
    expect(await heldBy()).toEqual(new Set(['workflow']));
    expect((await setPaused(ann, workflowId, false, auditEntry)).runs).toBe(runIds.length);
    expect(await heldBy()).toEqual(new Set([null]));
  });

  it('of a workflow holds what is retried', async () => {
    const setPaused = pausing();
    const { workflowId } = await engine.registerWorkflow(sequence(['a'], { retry: [] }));
    const runId = await engine.start(workflowId);
    await engine.decide(runId, requested);
    await engine.answer(runId, failed);
    await setPaused(ann, workflowId, true, auditEntry);
    expect(await engine.decide(runId, { type: 'retry_requested' })).toEqual(running);
    expect(await engine.runRow(runId)).toMatchObject({ execution_status: 'PAUSED', held_by: 'workflow' });
    const stepExecutionId = await engine.openAttempt(runId);
    const request = { type: 'step_requested', stepExecutionId } as const;
    expect(await engine.decide(runId, request)).toEqual({ outcome: 'refused', code: 'RUN_PAUSED' });
    await setPaused(ann, workflowId, false, auditEntry);
    expect(await engine.decide(runId, request)).toEqual(running);
  });

  it('by a version that did not tell whose it was ends by any resume', async () => {
    const setPaused = pausing();
    const { workflowId } = await engine.registerWorkflow(sequence(['a']));
    const [one, other] = [await engine.start(workflowId), await engine.start(workflowId)];
    await engine.database.execute(
      'update workflow_runs set paused_at = now() where workflow_definition_id = $1',
      [workflowId],
    );
    expect(await engine.decide(one, { type: 'resume_requested' })).toMatchObject({ outcome: 'decided' });
    await engine.database.execute('update workflows set paused_at = now() where id = $1', [workflowId]);
    expect(await setPaused(ann, workflowId, false, auditEntry)).toEqual({ isChanged: true, runs: 1 });
    expect(await engine.decide(other, requested)).toEqual(running);
  });

  it('of a workflow that nobody knows, as another producer may write it, is none', async () => {
    const { workflowId } = await engine.registerWorkflow(sequence(['a']));
    for (const unknown of ['their-own', null, randomUUID()]) {
      const runId = await engine.start(workflowId);
      await engine.database.execute(
        'update workflow_runs set workflow_definition_id = $2 where run_id = $1',
        [runId, unknown],
      );
      expect(await engine.decide(runId, requested)).toEqual(running);
    }
  });

  it('of a workflow holds the child runs that begin of it', async () => {
    const child = sequence(['a']);
    const { workflowId } = await engine.registerWorkflow(child);
    await engine.database.execute('update workflows set paused_at = now() where id = $1', [workflowId]);
    const parent = await runOf(parentOf({ workflow_name: child.name }));
    const [{ child_run_id: childRunId } = {}] = await engine.attemptRows(parent);
    expect(await engine.runRow(childRunId as string)).toMatchObject({
      execution_status: 'PAUSED',
      held_by: 'workflow',
    });
  });

  it('finds a workflow’s open runs page by page', async () => {
    const { findOpenRunsOf } = createRunBatches(engine.database);
    const { workflowId } = await engine.registerWorkflow(sequence(['a']));
    const open: string[] = [];
    for (let i = 0; i < 3; i++) open.push(await engine.start(workflowId));
    const page = (after: string | null) => findOpenRunsOf(workflowId, { isHeld: false, after, limit: 2 });
    const first = await page(null);
    expect(first.runIds).toEqual(open.slice(0, 2));
    expect(await page(first.next)).toEqual({ runIds: open.slice(2), next: null });
    expect(await findOpenRunsOf(workflowId, { isHeld: true, after: null, limit: 2 })).toEqual({
      runIds: [],
      next: null,
    });
  });
});

describe('a retry on another version', () => {
  const twoSteps = (name: string, steps: object) => ({ name, start_step: 'a', retry: [], steps });
  const agent = { agent_name: 'x' };
  const ab = { a: { ...agent, next_step: 'b' }, b: agent };

  async function failedRun(name: string) {
    const runId = await runOf(twoSteps(name, ab));
    await engine.answer(runId, completed(1));
    await engine.answer(runId, failed);
    return runId;
  }

  async function retryOn(runId: string, name: string, steps: object) {
    const { versionId } = await engine.registerWorkflow(twoSteps(name, steps));
    const changeRun = createChangeRun(engine.processBatch, createAgentCalls(engine.database));
    const version = { versionId, number: 2, workflowId: `wf-${name}-2` };
    return {
      versionId,
      changed: await changeRun.change(runId, { type: 'retry_requested' }, auditEntry, version),
    };
  }

  it('goes on with it, and says so of the run', async () => {
    const name = `w-${randomUUID()}`;
    const runId = await failedRun(name);
    const { versionId, changed } = await retryOn(runId, name, {
      ...ab,
      b: { ...agent, next_step: 'c' },
      c: agent,
    });
    expect(changed).toEqual({ ok: true, status: 'RUNNING' });
    expect(await engine.runRow(runId)).toMatchObject({
      workflow_version_id: versionId,
      version: 2,
      workflow_id: `wf-${name}-2`,
    });
    await engine.decide(runId, { type: 'step_requested', stepExecutionId: await engine.openAttempt(runId) });
    await engine.answer(runId, completed(2));
    expect((await engine.attemptRows(runId)).map(({ step_id }) => step_id)).toEqual(['a', 'b', 'b', 'c']);
  });

  it.each<[string, object, string[]]>([
    ['a step that completed is another', { a: { type: 'pass', result: 1, next_step: 'b' }, b: agent }, ['a']],
    ['the step that failed is gone', { a: { ...agent, next_step: 'c' }, c: agent }, ['b']],
  ])('is refused where %s, by name, and changes nothing', async (_, steps, stepIds) => {
    const name = `w-${randomUUID()}`;
    const runId = await failedRun(name);
    const before = await engine.runRow(runId);
    const { changed } = await retryOn(runId, name, steps);
    expect(changed).toEqual({ ok: false, refusal: { outcome: 'incompatible', stepIds } });
    expect(await engine.runRow(runId)).toEqual(before);
  });
});

describe('signs of life', () => {
  const watched = (seconds: number | undefined) => ({
    name: `w-${randomUUID()}`,
    start_step: 'a',
    retry: [],
    steps: { a: { agent_name: 'x', ...(seconds && { heartbeat_seconds: seconds }) } },
  });
  const accept = (runId: string, stepExecutionId: string) =>
    createAgentCalls(engine.database).extendDeadlines([
      { runId, stepExecutionId, deadlineInMs: 3_600_000, accepted: true },
    ]);
  const beat = (runId: string, stepExecutionId: string) =>
    createAgentCalls(engine.database).beat(runId, stepExecutionId);
  const rowOf = async (runId: string) => (await engine.attemptRows(runId))[0]!;
  const inMs = (at: unknown) => (at as Date).getTime() - Date.now();

  it('are due from the acceptance on, each until the next', async () => {
    const runId = await runOf(watched(60));
    const id = await engine.openAttempt(runId);
    expect(await rowOf(runId)).toMatchObject({ heartbeat_ms: 60_000, heartbeat_due_at: null });
    // The bridge still waits for its first answer.
    expect(await beat(runId, id)).toBe(true);
    expect(await rowOf(runId)).toMatchObject({ heartbeat_due_at: null });
    await accept(runId, id);
    const accepted = await rowOf(runId);
    expect(accepted.wake_at).toEqual(accepted.heartbeat_due_at);
    expect(inMs(accepted.heartbeat_due_at)).toBeLessThanOrEqual(60_001);
    expect(inMs(accepted.deadline_at)).toBeGreaterThan(3_000_000);
    // A later millisecond, which is all that a Date tells.
    await sleep(2);
    expect(await beat(runId, id)).toBe(true);
    const beaten = await rowOf(runId);
    expect((beaten.heartbeat_due_at as Date) > (accepted.heartbeat_due_at as Date)).toBe(true);
    expect(beaten.wake_at).toEqual(beaten.heartbeat_due_at);

    const at = (beaten.heartbeat_due_at as Date).getTime();
    expect(await engine.decide(runId, { type: 'woken', stepExecutionId: id, at })).toMatchObject({
      outcome: 'decided',
      status: 'FAILED',
    });
    expect(await engine.runRow(runId)).toMatchObject({ error_code: 'HEARTBEAT_TIMEOUT' });
    expect(await beat(runId, id)).toBe(false);
  });

  it('change nothing where none are asked for, and are no other run’s', async () => {
    const runId = await runOf(watched(undefined));
    const id = await engine.openAttempt(runId);
    await accept(runId, id);
    const before = await rowOf(runId);
    expect(await beat(runId, id)).toBe(true);
    expect(await rowOf(runId)).toEqual(before);
    expect(await beat(`run-${randomUUID()}`, id)).toBe(false);
  });
});
