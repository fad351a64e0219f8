import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { codeOf, openRunHarness, type RunHarness } from './run-harness.ts';

let api: RunHarness;
beforeAll(async () => {
  api = await openRunHarness({ databaseUrl: inject('databaseUrl'), kafkaBrokers: inject('kafkaBrokers') });
});
afterAll(() => api?.close());

describe('cancelling', () => {
  const cancel = (runId: string, body?: unknown) => ({
    method: 'POST',
    path: `/api/v1/runs/${runId}/cancel`,
    body,
  });

  it('closes a pending run; the body is optional', async () => {
    const runId = await api.startedRun();
    const { status, body } = await api.as('ann')(cancel(runId));
    expect(status).toBe(200);
    expect(body).toMatchObject({ success: true, run_id: runId, status: 'CANCELLED' });
    expect(body.data).toMatchObject({
      status: 'CANCELLED',
      cancelled_by: 'ann',
      cancelled_at: expect.any(String),
      cancel_reason: null,
    });
  });

  it('closes a running one with its open step, and says who and why', async () => {
    const runId = await api.startedRun();
    await api.pickUp(runId);
    const { body } = await api.as('ann')(
      cancel(runId, { reason: 'Testing cancellation', cancelled_by: 'ann' }),
    );
    expect(body.data).toMatchObject({
      cancelled_by: 'ann',
      cancel_reason: 'Testing cancellation',
    });
    const steps = await api.as('ann')({ path: `/api/v1/runs/${runId}/steps` });
    expect(steps.body.data).toMatchObject([{ step_id: 'extract', status: 'CANCELLED' }]);
  });

  it("is nobody else's but an admin's to say who cancelled", async () => {
    const runId = await api.startedRun();
    const asBob = cancel(runId, { cancelled_by: 'bob' });
    expect(codeOf(await api.as('ann')(asBob))).toEqual([403, 'PERMISSION_DENIED']);
    expect((await api.as('ann')({ path: `/api/v1/runs/${runId}` })).body.status).toBe('PENDING');
    const { body } = await api.as('root', { roles: ['admin'] })(asBob);
    expect(body.data).toMatchObject({ status: 'CANCELLED', cancelled_by: 'bob' });
  });

  it('is 400 for a run that has ended', async () => {
    const runId = await api.startedRun();
    await api.as('ann')(cancel(runId));
    const again = await api.as('ann')(cancel(runId));
    expect(codeOf(again)).toEqual([400, 'BAD_REQUEST']);
    expect(again.body.details).toEqual({ reason: 'RUN_CLOSED' });
  });

  it('refuses a bad body, and changes nothing', async () => {
    const runId = await api.startedRun();
    const { status, body } = await api.as('ann')(
      cancel(runId, { reason: 5, cancelled_by: 'x'.repeat(256), because: 1 }),
    );
    expect(status).toBe(400);
    expect(body.details.map(({ path }: { path: string }) => path).sort()).toEqual([
      'because',
      'cancelled_by',
      'reason',
    ]);
    expect((await api.as('ann')({ path: `/api/v1/runs/${runId}` })).body.status).toBe('PENDING');
  });
});

describe('retrying', () => {
  const retry = (runId: string) => ({ method: 'POST', path: `/api/v1/runs/${runId}/retry` });

  it('resumes a failed run after its last completed step', async () => {
    const runId = await api.startedRun();
    await api.pickUp(runId);
    await api.settle(runId);
    await api.settle(runId, true);
    const { status, body } = await api.as('ann')(retry(runId));
    expect(status).toBe(202);
    expect(body).toMatchObject({ run_id: runId, status: 'RUNNING' });
    const steps = await api.as('ann')({ path: `/api/v1/runs/${runId}/steps` });
    const attempts = steps.body.data.map((step: Record<string, unknown>) => [step.step_id, step.attempt]);
    expect(attempts).toEqual([
      ['extract', 1],
      ['transform', 1],
      ['transform', 2],
    ]);
  });

  it('resumes a cancelled run', async () => {
    const runId = await api.startedRun();
    await api.pickUp(runId);
    await api.as('ann')({ method: 'POST', path: `/api/v1/runs/${runId}/cancel` });
    expect((await api.as('ann')(retry(runId))).status).toBe(202);
  });

  it('is 409 for an open run and for a completed one', async () => {
    const runId = await api.startedRun();
    expect(codeOf(await api.as('ann')(retry(runId)))).toEqual([409, 'CONFLICT']);
    await api.pickUp(runId);
    await api.settle(runId);
    await api.settle(runId);
    expect((await api.as('ann')({ path: `/api/v1/runs/${runId}` })).body.status).toBe('COMPLETED');
    expect(codeOf(await api.as('ann')(retry(runId)))).toEqual([409, 'CONFLICT']);
  });
});
