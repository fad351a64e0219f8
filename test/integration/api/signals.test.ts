import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { limits } from '../../../shared/config/limits.ts';
import { codeOf, openRunHarness, type RunHarness } from './run-harness.ts';

let api: RunHarness;
let workflowId: string;
beforeAll(async () => {
  api = await openRunHarness({ databaseUrl: inject('databaseUrl'), kafkaBrokers: inject('kafkaBrokers') });
  const definition = {
    name: 'approval',
    start_step: 'approved',
    steps: { approved: { type: 'signal', signal: 'go on' } },
  };
  workflowId = (await post('/api/v1/workflows', definition)).body.id;
});
afterAll(() => api?.close());

const post = (path: string, body?: unknown) => api.as('ann')({ method: 'POST', path, body });
const signal = (runId: string, body?: unknown, name = 'go on') =>
  post(`/api/v1/runs/${runId}/signals/${encodeURIComponent(name)}`, body);
const start = async (): Promise<string> =>
  (await post(`/api/v1/workflows/${workflowId}/execute`)).body.run_id;
const runOf = async (runId: string) => (await api.as('ann')({ path: `/api/v1/runs/${runId}` })).body.data;
const signalsOf = (runId: string) =>
  api.engine.database.many('select id, name, payload from signals where run_id = $1 order by received_at', [
    runId,
  ]);

describe('a signal', () => {
  it.each([[{ by: 'ann' }], [[1, 2]], ['text'], [7], [false], [null]])(
    'completes the step that waits for it with its payload: %j',
    async (payload) => {
      const runId = await start();
      await api.pickUp(runId);
      const [step] = (await api.as('ann')({ path: `/api/v1/runs/${runId}/steps` })).body.data;
      expect(step).toMatchObject({
        step_type: 'signal',
        signal_name: 'go on',
        agent_name: null,
        status: 'RUNNING',
      });
      const { status, body } = await signal(runId, { payload, id: 'one' });
      expect([status, body.data]).toEqual([202, { run_id: runId, name: 'go on', id: 'one' }]);
      expect(await runOf(runId)).toMatchObject({ status: 'COMPLETED', output_data: payload });
    },
  );

  it('that came early is kept, and the first of them is taken', async () => {
    const runId = await start();
    await signal(runId, { payload: 'other' }, 'another');
    await signal(runId, { payload: 'first' });
    await signal(runId, { payload: 'second' });
    await api.pickUp(runId);
    expect(await runOf(runId)).toMatchObject({ status: 'COMPLETED', output_data: 'first' });
  });

  it('of the same id counts once, and is answered the same, also when it has ended the run', async () => {
    const runId = await start();
    const first = await signal(runId, { payload: 1, id: 'one' });
    const answered = ({ status, body }: typeof first) => [status, body];
    expect(answered(await signal(runId, { payload: 2, id: 'one' }))).toEqual(answered(first));
    expect(await signalsOf(runId)).toEqual([{ id: 'one', name: 'go on', payload: 1 }]);
    await api.pickUp(runId);
    expect(await runOf(runId)).toMatchObject({ status: 'COMPLETED', output_data: 1 });
    expect(answered(await signal(runId, { payload: 1, id: 'one' }))).toEqual(answered(first));
  });

  it('without an id gets one of its own', async () => {
    const runId = await start();
    const ids = [(await signal(runId)).body.data.id, (await signal(runId, {})).body.data.id];
    expect(new Set(ids).size).toBe(2);
    expect(await signalsOf(runId)).toEqual(ids.map((id) => ({ id, name: 'go on', payload: null })));
  });

  it('that comes while the run is paused takes effect, and what follows waits', async () => {
    const runId = await start();
    await api.pickUp(runId);
    await post(`/api/v1/runs/${runId}/pause`);
    expect((await signal(runId, { payload: 'kept' })).status).toBe(202);
    await post(`/api/v1/runs/${runId}/resume`);
    expect(await runOf(runId)).toMatchObject({ status: 'COMPLETED', output_data: 'kept' });
  });

  it('is 400 where the run has ended, and 404 where there is none', async () => {
    const runId = await start();
    await post(`/api/v1/runs/${runId}/cancel`);
    const refused = await signal(runId, { id: 'late' });
    expect(codeOf(refused)).toEqual([400, 'BAD_REQUEST']);
    expect(refused.body.details).toEqual({ reason: 'RUN_CLOSED' });
    expect(codeOf(await signal('run-nothing'))).toEqual([404, 'NOT_FOUND']);
  });

  it('that is wrong is refused by the name of the field, and nothing is kept', async () => {
    const runId = await start();
    const refused = async (body: unknown, name?: string) => {
      const { status, body: answer } = await signal(runId, body, name);
      return [status, ...answer.details.map(({ path }: { path: string }) => path)];
    };
    expect(await refused({ id: '' })).toEqual([400, 'id']);
    expect(await refused({ id: 7, paylod: 1 })).toEqual([400, 'id', 'paylod']);
    expect(await refused({ id: 'x'.repeat(256) })).toEqual([400, 'id']);
    expect(await refused('{"payload":"\\u0000"}')).toEqual([400, 'payload']);
    expect(await refused({ payload: 'x'.repeat(limits.maxPayloadBytes) })).toEqual([413, 'payload']);
    expect((await signal(runId, {}, 'x'.repeat(256))).status).toBe(404);
    expect(await signalsOf(runId)).toEqual([]);
  });
});
