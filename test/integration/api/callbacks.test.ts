import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { limits } from '../../../shared/config/limits.ts';
import { codeOf, openRunHarness, type RunHarness } from './run-harness.ts';

let api: RunHarness;
beforeAll(async () => {
  api = await openRunHarness({ databaseUrl: inject('databaseUrl'), kafkaBrokers: inject('kafkaBrokers') });
});
afterAll(() => api?.close());

describe('callbacks', () => {
  async function waitingStep(): Promise<{ runId: string; stepExecutionId: string; path: string }> {
    const runId = await api.startedRun();
    await api.pickUp(runId);
    const stepExecutionId = await api.openAttempt(runId);
    const token = api.engine.tokens.callbackToken(stepExecutionId);
    return { runId, stepExecutionId, path: `/api/v1/callbacks/${stepExecutionId}/${token}` };
  }
  const stepOf = async (runId: string) =>
    (await api.as('ann')({ path: `/api/v1/runs/${runId}/steps` })).body.data[0];

  it.each([[{ rows: 7 }], [[1, 2]], ['text in JSON'], [null], [false]])(
    'settle the step with the body as output: %j',
    async (output) => {
      const { runId, stepExecutionId, path } = await waitingStep();
      const { status, body } = await api.send({ method: 'POST', path, body: JSON.stringify(output) });
      expect([status, body.data]).toEqual([200, { step_execution_id: stepExecutionId }]);
      expect(await stepOf(runId)).toMatchObject({ status: 'COMPLETED', output_data: output });
      expect(codeOf(await api.send({ method: 'POST', path, body: JSON.stringify(output) }))).toEqual([
        409,
        'CONFLICT',
      ]);
    },
  );

  it('take what an answer to a call may be, whose keys may come twice', async () => {
    const { runId, path } = await waitingStep();
    const body = '{"a":1,"a":2,"id":12345678901234567000}';
    expect((await api.send({ method: 'POST', path: `${path}?from=here`, body })).status).toBe(200);
    expect(await stepOf(runId)).toMatchObject({ output_data: { a: 2, id: 12345678901234567000 } });
  });

  it('refuse a number that would be another one, and say where', async () => {
    const { runId, path } = await waitingStep();
    const { status, body } = await api.send({
      method: 'POST',
      path,
      body: '{"rows":[{"id":9007199254740993}]}',
    });
    expect([status, body.details]).toEqual([
      400,
      [{ path: 'rows.0.id', message: '9007199254740993 would become 9007199254740992; send it as text' }],
    ]);
    expect(await stepOf(runId)).toMatchObject({ status: 'RUNNING' });
  });

  it('fail the step', async () => {
    const { runId, path } = await waitingStep();
    const failure = { code: 'NO_DATA', message: 'Nothing there', retryable: false, extra: 1 };
    expect((await api.send({ method: 'POST', path: `${path}/fail`, body: failure })).status).toBe(200);
    expect(await stepOf(runId)).toMatchObject({
      status: 'FAILED',
      error_code: 'NO_DATA',
      error_message: 'Nothing there',
    });
    expect(codeOf(await api.send({ method: 'POST', path: `${path}/fail`, body: failure }))).toEqual([
      409,
      'CONFLICT',
    ]);
  });

  it.each<[unknown, string, string]>([
    [
      { code: 500, message: null, retryable: null, retry_after_ms: -1 },
      '500',
      'The agent failed and said no more',
    ],
    [{ code: '', message: ['no', 'more'] }, 'AGENT_ERROR', '["no","more"]'],
    [{ error: { code: 'QUOTA', message: 'no more' } }, 'QUOTA', 'no more'],
    [{ code: 'c'.repeat(300) }, 'c'.repeat(255), 'The agent failed and said no more'],
    ['"boom"', 'AGENT_ERROR', 'boom'],
    ['{"message":"a\\u0000b\\ud800","n":9007199254740993}', 'AGENT_ERROR', 'ab\ufffd'],
    [undefined, 'AGENT_ERROR', 'The agent failed and said no more'],
  ])('fail the step whatever is odd about the failure: %j', async (failure, code, message) => {
    const { runId, path } = await waitingStep();
    expect((await api.send({ method: 'POST', path: `${path}/fail`, body: failure })).status).toBe(200);
    expect(await stepOf(runId)).toMatchObject({ status: 'FAILED', error_code: code, error_message: message });
  });

  it('refuse outputs that are not JSON, too large or unstorable, and leave the step open', async () => {
    const { runId, path } = await waitingStep();
    const statuses = [];
    for (const body of ['{', undefined, { x: 'x'.repeat(limits.maxPayloadBytes) }, '{"a":"\\u0000"}']) {
      statuses.push((await api.send({ method: 'POST', path, body })).status);
    }
    expect(statuses).toEqual([400, 400, 413, 400]);
    expect(await stepOf(runId)).toMatchObject({ status: 'RUNNING' });
  });

  it('heartbeat while the step is open', async () => {
    const { runId, path } = await waitingStep();
    expect((await api.send({ method: 'POST', path: `${path}/heartbeat` })).status).toBe(200);
    await api.as('ann')({ method: 'POST', path: `/api/v1/runs/${runId}/cancel` });
    const late = await api.send({ method: 'POST', path: `${path}/heartbeat` });
    expect(codeOf(late)).toEqual([409, 'CONFLICT']);
    expect(late.body.details).toEqual({ reason: 'ATTEMPT_CLOSED', status: 'CANCELLED' });
    expect(codeOf(await api.send({ method: 'POST', path, body: {} }))).toEqual([409, 'CONFLICT']);
    expect(await stepOf(runId)).toMatchObject({ status: 'CANCELLED', output_data: null });
  });

  it('are 404 with another token, whoever asks', async () => {
    const { path, stepExecutionId } = await waitingStep();
    const other = (await waitingStep()).path.split('/').at(-1);
    const asAdmin = api.as('root', { roles: ['admin'] });
    for (const token of [
      other,
      'x',
      `${path.split('/').at(-1)}x`,
      api.engine.tokens.resultToken(stepExecutionId),
    ]) {
      for (const rest of ['', '/fail', '/heartbeat']) {
        const wrong = {
          method: 'POST',
          path: `/api/v1/callbacks/${stepExecutionId}/${token}${rest}`,
          body: '{',
        };
        expect(codeOf(await api.send(wrong))).toEqual([404, 'NOT_FOUND']);
        expect(codeOf(await asAdmin(wrong))).toEqual([404, 'NOT_FOUND']);
      }
    }
    const unknown = '01933cf0-0000-7000-8000-000000000000';
    const token = api.engine.tokens.callbackToken(unknown);
    expect(
      codeOf(await api.send({ method: 'POST', path: `/api/v1/callbacks/${unknown}/${token}`, body: {} })),
    ).toEqual([404, 'NOT_FOUND']);
  });
});
