import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { dataPipeline } from './api-harness.ts';
import { codeOf, openRunHarness, type RunHarness } from './run-harness.ts';

let api: RunHarness;
beforeAll(async () => {
  api = await openRunHarness({ databaseUrl: inject('databaseUrl'), kafkaBrokers: inject('kafkaBrokers') });
});
afterAll(() => api?.close());

const post = (path: string, body?: unknown) => api.as('ann')({ method: 'POST', path, body });
const get = (path: string) => api.as('ann')({ path });
const ofRun = (runId: string, what: string, body?: unknown) => post(`/api/v1/runs/${runId}/${what}`, body);

describe('a run', () => {
  it('is PAUSED on every face, and a pause of a paused one changes nothing', async () => {
    const { body } = await post(`/api/v1/workflows/${api.workflowId}/execute`, {
      variables: {},
      community_id: 7,
    });
    const { run_id: runId } = body;
    await api.pickUp(runId);
    const paused = await ofRun(runId, 'pause');
    expect([paused.status, paused.body.status, paused.body.message]).toEqual([200, 'PAUSED', 'Run paused']);
    expect(paused.body.data).toMatchObject({ status: 'PAUSED', paused_at: expect.any(String) });

    const again = await ofRun(runId, 'pause');
    expect([again.status, again.body.message]).toEqual([200, 'Run paused before']);
    expect(again.body.data).toEqual(paused.body.data);

    const executionId = runId.slice('run-'.length);
    expect((await get(`/api/v1/workflows/executions/${executionId}`)).body.data.status).toBe('paused');
    expect((await get(`/api/workflows/executions/${executionId}`)).body.status).toBe('paused');
    const [batch] = (await post('/api/v1/runs/batch-status', { ids: [runId] })).body.data;
    expect(batch.status).toBe('PAUSED');
    const listed = async (path: string, idOf: (one: Record<string, string>) => string | undefined) => {
      const { body } = await get(path);
      return (body.data ?? body).map(idOf);
    };
    const runs = (status: string) => listed(`/api/v1/runs?status=${status}`, (one) => one.run_id);
    expect(await runs('PAUSED')).toEqual([runId]);
    expect(await runs('paused,FAILED')).toEqual([runId]);
    expect(await runs('RUNNING')).not.toContain(runId);
    expect(await runs('RUNNING,PENDING,PAUSED')).toContain(runId);
    const executions = `/api/v1/workflows/${api.workflowId}/executions?community_id=7`;
    expect(await listed(`${executions}&status=paused`, (one) => one.execution_id)).toEqual([executionId]);
    expect(await listed(`${executions}&status=running`, (one) => one.execution_id)).toEqual([]);
    const own = '/api/workflows/executions?status_filter=paused';
    expect(await listed(own, (one) => one.id)).toEqual([executionId]);

    const resumed = await ofRun(runId, 'resume');
    expect(resumed.body.data).toMatchObject({ status: 'RUNNING', paused_at: null });
    expect((await ofRun(runId, 'resume')).body.message).toBe('Run resumed before');
  });

  it('lets an answer settle its step while paused, and holds the next until it is resumed', async () => {
    const runId = await api.startedRun();
    await api.pickUp(runId);
    await ofRun(runId, 'pause');
    await api.settle(runId);
    const stepsOf = async () =>
      (await get(`/api/v1/runs/${runId}/steps`)).body.data.map((step: Record<string, string>) => [
        step.step_id,
        step.status,
      ]);
    const held = [
      ['extract', 'COMPLETED'],
      ['transform', 'PENDING'],
    ];
    expect(await stepsOf()).toEqual(held);
    const execution = await get(`/api/v1/workflows/executions/${runId.slice('run-'.length)}`);
    expect(execution.body.data.node_states.transform.status).toBe('paused');
    expect(execution.body.data.execution_path).toEqual(['extract']);
    // Whatever asks for it meanwhile.
    const event = { type: 'step_requested', stepExecutionId: await api.openAttempt(runId) } as const;
    expect(await api.engine.processBatch([{ runId, event }])).toMatchObject([{ outcome: 'refused' }]);
    await ofRun(runId, 'resume');
    expect(await api.engine.processBatch([{ runId, event }])).toMatchObject([{ outcome: 'decided' }]);
    await api.settle(runId);
    expect((await get(`/api/v1/runs/${runId}`)).body.status).toBe('COMPLETED');
  });

  it('can be cancelled while paused', async () => {
    const runId = await api.startedRun();
    await ofRun(runId, 'pause');
    const { status, body } = await ofRun(runId, 'cancel');
    expect([status, body.status, body.data.paused_at]).toEqual([200, 'CANCELLED', null]);
  });

  it.each(['pause', 'resume'])('that has ended cannot be: %s is 400', async (what) => {
    const runId = await api.startedRun();
    await ofRun(runId, 'cancel');
    const refused = await ofRun(runId, what);
    expect(codeOf(refused)).toEqual([400, 'BAD_REQUEST']);
    expect(refused.body.details).toEqual({ reason: 'RUN_CLOSED' });
  });

  it.each(['pause', 'resume'])('that is not there, or another body: %s is refused', async (what) => {
    expect(codeOf(await ofRun('run-nothing', what))).toEqual([404, 'NOT_FOUND']);
    const refused = await ofRun(await api.startedRun(), what, { reason: 'none' });
    expect(codeOf(refused)).toEqual([400, 'BAD_REQUEST']);
    expect(refused.body.details).toMatchObject([{ path: 'reason' }]);
  });

  it('that is paused is among those that a filter cancels', async () => {
    const made = await post('/api/v1/workflows', { ...dataPipeline, name: 'cancelled-while-paused' });
    const { run_id: runId } = (await post(`/api/v1/workflows/${made.body.id}/execute`)).body;
    await ofRun(runId, 'pause');
    const cancel = (status: string) =>
      post('/api/v1/runs/bulk-cancel', { filter: { workflow_id: made.body.id, status } });
    expect((await cancel('PENDING')).body.data.cancelled).toBe(0);
    expect((await cancel('PAUSED')).body.data.cancelled).toBe(1);
  });
});

describe('a workflow', () => {
  it('is paused with its open runs, and those that begin later', async () => {
    const { id } = (await post('/api/v1/workflows', { ...dataPipeline, name: 'paused' })).body;
    const path = `/api/v1/workflows/${id}`;
    const start = async (): Promise<string> => (await post(`${path}/execute`)).body.run_id;
    const statusOf = async (runId: string) => (await get(`/api/v1/runs/${runId}`)).body.status;
    const [first, second, ended] = [await start(), await start(), await start()];
    await api.pickUp(second);
    await ofRun(ended, 'cancel');

    const paused = await post(`${path}/pause`);
    expect([paused.status, paused.body.data]).toEqual([200, { id, paused: true, runs: 2 }]);
    expect((await get(path)).body.data.paused_at).toEqual(expect.any(String));
    const later = await start();
    expect(await Promise.all([first, second, ended, later].map(statusOf))).toEqual([
      'PAUSED',
      'PAUSED',
      'CANCELLED',
      'PAUSED',
    ]);
    expect((await post(`${path}/pause`)).body.data.runs).toBe(0);

    const resumed = await post(`${path}/resume`);
    expect(resumed.body.data).toEqual({ id, paused: false, runs: 3 });
    expect((await get(path)).body.data.paused_at).toBeNull();
    expect(await Promise.all([first, second, later].map(statusOf))).toEqual([
      'PENDING',
      'RUNNING',
      'PENDING',
    ]);
    expect(await statusOf(await start())).toBe('PENDING');
  });

  it('that is deleted is paused no more, nor shared: registered anew, it begins so, and its runs go on', async () => {
    const definition = { ...dataPipeline, name: 'deleted-while-paused' };
    const { id } = (await post('/api/v1/workflows', definition)).body;
    const path = `/api/v1/workflows/${id}`;
    const { run_id: runId } = (await post(`${path}/execute`)).body;
    await api.pickUp(runId);
    await post(`${path}/permissions`, { user_id: 'vic', can_view: true });
    await post(`${path}/pause`);
    const statusOf = async () => (await get(`/api/v1/runs/${runId}`)).body.status;
    expect(await statusOf()).toBe('PAUSED');

    expect((await api.as('ann')({ method: 'DELETE', path })).status).toBe(200);
    expect(await statusOf()).toBe('RUNNING');
    const anew = await post('/api/v1/workflows', definition);
    expect([anew.status, anew.body.id]).toEqual([201, id]);
    expect((await get(path)).body.data.paused_at).toBeNull();
    expect((await get(`${path}/permissions`)).body.data).toEqual([]);
    expect(codeOf(await api.as('vic')({ path }))).toEqual([404, 'WORKFLOW_NOT_FOUND']);
    const { run_id: later } = (await post(`${path}/execute`)).body;
    expect((await get(`/api/v1/runs/${later}`)).body.status).toBe('PENDING');
  });

  it('and its run are paused each by itself: the run goes on when both are resumed', async () => {
    const { id } = (await post('/api/v1/workflows', { ...dataPipeline, name: 'paused-twice' })).body;
    const path = `/api/v1/workflows/${id}`;
    const runId = (await post(`${path}/execute`)).body.run_id;
    const said = async (answer: Promise<Awaited<ReturnType<typeof post>>>) => {
      const { body } = await answer;
      return [body.message, body.status, body.data.held_by];
    };
    await post(`${path}/pause`);
    const held = 'the pause of its workflow holds it';
    expect(await said(ofRun(runId, 'resume'))).toEqual([`Run resumed before; ${held}`, 'PAUSED', 'workflow']);
    expect(await said(ofRun(runId, 'pause'))).toEqual(['Run paused', 'PAUSED', 'both']);
    expect(await said(ofRun(runId, 'resume'))).toEqual([`Run resumed; ${held}`, 'PAUSED', 'workflow']);
    await ofRun(runId, 'pause');
    expect((await post(`${path}/resume`)).body.data.runs).toBe(1);
    expect((await get(`/api/v1/runs/${runId}`)).body.data).toMatchObject({
      status: 'PAUSED',
      held_by: 'run',
    });
    expect(await said(ofRun(runId, 'resume'))).toEqual(['Run resumed', 'PENDING', null]);
  });

  it.each(['pause', 'resume'])('that is not there, or another body: %s is refused', async (what) => {
    expect(codeOf(await post(`/api/v1/workflows/none/${what}`))).toEqual([404, 'WORKFLOW_NOT_FOUND']);
    const refused = await post(`/api/v1/workflows/${api.workflowId}/${what}`, { all: true });
    expect(codeOf(refused)).toEqual([400, 'BAD_REQUEST']);
  });
});
