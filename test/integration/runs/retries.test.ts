import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { AgentAnswer, AgentBehaviour } from '../../support/agent-server.ts';
import type { StepView } from '../../support/run-client.ts';
import { type RunStack, startRunStack } from '../../support/run-stack.ts';
import { sequence } from '../../support/sequence.ts';

let stack: RunStack;
beforeAll(async () => {
  stack = await startRunStack({ databaseUrl: inject('databaseUrl'), kafkaBrokers: inject('kafkaBrokers') });
});
afterAll(() => stack?.close());

const quickly = { max_attempts: 3, initial_interval_ms: 50, backoff_rate: 4, jitter: 'none' } as const;

/** A run of a workflow whose steps all have this agent. */
async function runOf(
  name: string,
  behaviour: AgentBehaviour,
  { steps = 1, ...settings }: { steps?: number; retry?: object; timeout_seconds?: number } = {},
): Promise<string> {
  await stack.addAgent(name, behaviour);
  const definition = sequence(name, name, steps, { retry: quickly, ...settings });
  return stack.client.execute(await stack.client.createWorkflow(definition), { message: 'hello' });
}

const summary = (steps: readonly StepView[]) =>
  steps.map(({ step_id, attempt, status, error_code }) => [step_id, attempt, status, error_code]);

const waited = (steps: readonly StepView[], i: number) =>
  Date.parse(steps[i + 1]?.started_at ?? '') - Date.parse(steps[i]?.completed_at ?? '');

describe('a failed attempt', () => {
  test('is followed by others, after a growing wait, with the same idempotency key, until one completes', async () => {
    const runId = await runOf('flaky', ({ body, count }) =>
      count < 3 ? { status: 503, body: { code: 'BUSY', message: 'Not now' } } : { body: body.input_data },
    );
    expect(await stack.client.ended(runId)).toMatchObject({
      status: 'COMPLETED',
      output_data: { message: 'hello' },
      error_message: null,
    });
    const steps = await stack.client.findSteps(runId);
    expect(summary(steps)).toEqual([
      ['s1', 1, 'FAILED', 'BUSY'],
      ['s1', 2, 'FAILED', 'BUSY'],
      ['s1', 3, 'COMPLETED', null],
    ]);
    expect(waited(steps, 0)).toBeGreaterThanOrEqual(50);
    expect(waited(steps, 1)).toBeGreaterThanOrEqual(200);
    const calls = stack.agents.callsOf('flaky');
    expect(calls.map(({ body }) => body.attempt)).toEqual([1, 2, 3]);
    expect(new Set(calls.map(({ idempotencyKey }) => idempotencyKey))).toEqual(
      new Set([`${runId}:s1:1:ea0a419b5c9d5399`]),
    );
    expect(new Set(calls.map(({ body }) => body.step_execution_id)).size).toBe(3);
  });

  test('fails the run when it was the last, which names step, code and attempt', async () => {
    const runId = await runOf('broken', () => ({ status: 500, body: { code: 'NO_DISK', message: 'Full' } }), {
      steps: 2,
    });
    expect(await stack.client.ended(runId)).toMatchObject({
      status: 'FAILED',
      error_message: expect.stringMatching(
        /^Step "s1" failed with NO_DISK on attempt 3: Full \(agent "broken" at http:\/\/127.0.0.1:\d+\/agents\/broken, HTTP 500\)$/,
      ),
      error_code: 'NO_DISK',
      error_step_id: 's1',
      error_attempt: 3,
      output_data: null,
    });
    expect(summary(await stack.client.findSteps(runId))).toEqual([
      ['s1', 1, 'FAILED', 'NO_DISK'],
      ['s1', 2, 'FAILED', 'NO_DISK'],
      ['s1', 3, 'FAILED', 'NO_DISK'],
    ]);
  });

  test('that a repeat would not help is not repeated', async () => {
    const runId = await runOf('refusing', () => ({ status: 422, body: { message: 'No such source' } }));
    expect(await stack.client.ended(runId)).toMatchObject({
      status: 'FAILED',
      error_message: expect.stringMatching(
        /^Step "s1" failed with AGENT_ERROR on attempt 1: No such source \(agent "refusing" at \S+, HTTP 422\)$/,
      ),
    });
  });

  test('says by Retry-After how long to wait at least', async () => {
    const runId = await runOf('limited', ({ count, body }) =>
      count === 1 ? { status: 429, headers: { 'retry-after': '1' } } : { body: body.input_data },
    );
    expect((await stack.client.ended(runId)).status).toBe('COMPLETED');
    const steps = await stack.client.findSteps(runId);
    expect(summary(steps)).toEqual([
      ['s1', 1, 'FAILED', 'AGENT_ERROR'],
      ['s1', 2, 'COMPLETED', null],
    ]);
    expect(waited(steps, 0)).toBeGreaterThanOrEqual(1_000);
  });

  test('is one whose agent does not answer in its time', async () => {
    const runId = await runOf(
      'sleeper',
      ({ body, count }) => (count === 1 ? new Promise<never>(() => {}) : { body: body.input_data }),
      { timeout_seconds: 1.5 },
    );
    expect((await stack.client.ended(runId)).status).toBe('COMPLETED');
    const [late, ...others] = await stack.client.findSteps(runId);
    expect(summary(others)).toEqual([['s1', 2, 'COMPLETED', null]]);
    expect(late).toMatchObject({
      status: 'FAILED',
      error_code: 'TIMEOUT',
      error_message: expect.stringMatching(
        /^The agent did not answer within 1500 ms \(agent "\S+" at \S+\)$/,
      ),
    });
  });

  test.each<[string, string, AgentAnswer]>([
    ['is not JSON', 'AGENT_ANSWER_NOT_JSON', { body: { raw: '<html>' } }],
    ['is too large', 'DATA_LIMIT', { body: 'x'.repeat(256 * 1024) }],
    ['is too deep', 'TOO_DEEP', { body: { raw: `${'['.repeat(101)}${']'.repeat(101)}` } }],
    ['cannot be stored', 'UNSTORABLE', { body: { raw: '{"text":"\\u0000"}' } }],
  ])('is one whose answer %s: %s', async (what, code, answer) => {
    const runId = await runOf(`answer ${what.replaceAll(' ', '-')}`.replace(' ', '-'), () => answer);
    expect(await stack.client.ended(runId)).toMatchObject({
      status: 'FAILED',
      error_code: code,
      error_attempt: 1,
      error_message: expect.stringMatching(`^Step "s1" failed with ${code} on attempt 1: The agent's answer`),
    });
  });
});

describe('an agent that answers 202', () => {
  test('settles its step by a callback; another callback is refused', async () => {
    const runId = await runOf(
      'caller',
      ({ body }) => ({ callBack: { afterMs: 100, body: { message: `${body.step_id} later` } } }),
      { steps: 2 },
    );
    expect(await stack.client.ended(runId)).toMatchObject({
      status: 'COMPLETED',
      output_data: { message: 's2 later' },
    });
    const [first] = stack.agents.callsOf('caller');
    const headers = { 'content-type': 'application/json' };
    const late = await fetch(first?.body.callback_url ?? '', { method: 'POST', headers, body: '{}' });
    expect(late.status).toBe(409);
    expect(summary(await stack.client.findSteps(runId))).toEqual([
      ['s1', 1, 'COMPLETED', null],
      ['s2', 1, 'COMPLETED', null],
    ]);
  });

  test('fails it by a callback, which is repeated where that may help', async () => {
    const runId = await runOf('giver-up', ({ count }) => ({
      callBack:
        count === 1
          ? { afterMs: 20, suffix: '/fail', body: { code: 'LATER', message: 'Again', retryable: true } }
          : { afterMs: 20, suffix: '/fail', body: { code: 'NEVER', message: 'Stop', retryable: false } },
    }));
    expect(await stack.client.ended(runId)).toMatchObject({
      status: 'FAILED',
      error_message: 'Step "s1" failed with NEVER on attempt 2: Stop',
    });
  });
});

describe('an agent that answers 202 and does not call back', () => {
  test('has its time, and then has failed', async () => {
    const runId = await runOf('forgetful', () => ({ status: 202 }), { retry: [], timeout_seconds: 1.5 });
    expect(await stack.client.ended(runId)).toMatchObject({
      status: 'FAILED',
      error_message: expect.stringMatching(
        /^Step "s1" failed with TIMEOUT on attempt 1: The agent accepted the task and did not call back by 2/,
      ),
    });
    expect(stack.agents.callsOf('forgetful')).toHaveLength(1);
  });
});

describe('retrying a failed run', () => {
  test('resumes after its last completed step: agents of completed steps are not called again', async () => {
    let isMended = false;
    const runId = await runOf(
      'third-fails',
      ({ body }) =>
        body.step_id === 's3' && !isMended
          ? { status: 400, body: { code: 'BAD', message: 'Not yet' } }
          : { body: { message: `done by ${body.step_id}` } },
      { steps: 4 },
    );
    expect((await stack.client.ended(runId)).status).toBe('FAILED');
    isMended = true;
    const retried = await stack.client.send('POST', `/api/v1/runs/${runId}/retry`);
    expect([retried.status, retried.body.status]).toEqual([202, 'RUNNING']);
    expect(await stack.client.ended(runId)).toMatchObject({
      status: 'COMPLETED',
      output_data: { message: 'done by s4' },
      error_message: null,
    });
    expect(summary(await stack.client.findSteps(runId))).toEqual([
      ['s1', 1, 'COMPLETED', null],
      ['s2', 1, 'COMPLETED', null],
      ['s3', 1, 'FAILED', 'BAD'],
      ['s3', 2, 'COMPLETED', null],
      ['s4', 1, 'COMPLETED', null],
    ]);
    expect(stack.agents.callsOf('third-fails').map(({ body }) => body.step_id)).toEqual([
      's1',
      's2',
      's3',
      's3',
      's4',
    ]);
  });
});
