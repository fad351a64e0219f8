import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { createRunClient } from '../../support/run-client.ts';
import { type RunStack, startRunStack } from '../../support/run-stack.ts';
import { JWT_SECRET } from '../../support/run-world.ts';
import { sequence } from '../../support/sequence.ts';

const servers = { databaseUrl: inject('databaseUrl'), kafkaBrokers: inject('kafkaBrokers') };
const withoutCredentials = { headers: {} };

describe('with AUTH_MODE=anonymous', () => {
  let stack: RunStack;
  beforeAll(async () => {
    stack = await startRunStack({ ...servers, variables: { AUTH_MODE: 'anonymous' } });
    await stack.addAgent('echo-agent');
    await stack.addAgent('test-agent', ({ body }) => ({ body: { result: body.input_data } }));
  });
  afterAll(() => stack?.close());

  test('the quick start goes as written, without credentials', async () => {
    const { send, ended } = createRunClient(stack.url, {});
    await eventually(
      'health',
      () => send('GET', '/health'),
      ({ status }) => status === 200,
    );

    const created = await send<{ id: string }>('POST', '/api/v1/workflows', {
      body: {
        name: 'my-test-workflow',
        description: 'My test workflow',
        start_step: 'step1',
        steps: {
          step1: {
            id: 'step1',
            agent_name: 'echo-agent',
            next_step: null,
            input_mapping: { message: '$.workflow_input.message' },
          },
        },
      },
    });
    expect(created.status).toBe(201);

    const executed = await send<{ run_id: string; status: string }>(
      'POST',
      `/api/v1/workflows/${created.body.id}/execute`,
      { body: { input_data: { message: 'Hello, World!' } } },
    );
    expect(executed).toMatchObject({
      status: 202,
      body: { run_id: expect.stringMatching(/^run-[0-9a-f-]{36}$/), status: 'PENDING' },
    });

    const { run_id } = executed.body;
    expect(await ended(run_id)).toMatchObject({
      run_id,
      workflow_id: 'wf-my-test-workflow-1',
      status: 'COMPLETED',
      output_data: { message: 'Hello, World!' },
    });
    const steps = await send<{ data: object[] }>('GET', `/api/v1/runs/${run_id}/steps`);
    expect(steps).toMatchObject({
      status: 200,
      body: {
        data: [
          {
            step_id: 'step1',
            agent_name: 'echo-agent',
            status: 'COMPLETED',
            attempt: 1,
            input_data: { message: 'Hello, World!' },
            output_data: { message: 'Hello, World!' },
          },
        ],
      },
    });

    const cancelled = await send('POST', `/api/v1/runs/${run_id}/cancel`, {
      body: { reason: 'Testing cancellation' },
    });
    expect(cancelled).toMatchObject({ status: 400, body: { details: { reason: 'RUN_CLOSED' } } });
  });

  test('a key that is sent must still be right', async () => {
    const answer = await stack.client.send('GET', '/api/v1/workflows', {
      headers: { 'x-api-key': 'sk_wrong' },
    });
    expect(answer.status).toBe(401);
  });
});

describe('with authentication', () => {
  let stack: RunStack;
  beforeAll(async () => {
    stack = await startRunStack(servers);
    await stack.addAgent('echo-agent');
  });
  afterAll(() => stack?.close());

  const tokenOf = (secret: string) =>
    new SignJWT({})
      .setProtectedHeader({ alg: 'HS256' })
      .setSubject('bob')
      .setExpirationTime('1h')
      .sign(new TextEncoder().encode(secret));

  test('an HS256 token executes, and its run is its subject’s alone', async () => {
    const bob = createRunClient(stack.url, { authorization: `Bearer ${await tokenOf(JWT_SECRET)}` });
    const workflowId = await bob.createWorkflow(sequence('of-bob', 'echo-agent', 1));
    const runId = await bob.execute(workflowId, { message: 'by token' });
    expect(await bob.ended(runId)).toMatchObject({
      status: 'COMPLETED',
      output_data: { message: 'by token' },
      triggered_by: 'bob',
    });
    expect((await stack.client.send('GET', `/api/v1/runs/${runId}`)).status).toBe(404);
  });

  test('without credentials, or with a token of another secret, nothing is executed', async () => {
    const workflowId = await stack.client.createWorkflow(sequence('of-ann', 'echo-agent', 1));
    const path = `/api/v1/workflows/${workflowId}/execute`;
    const forged = { headers: { authorization: `Bearer ${await tokenOf('another secret of many bytes')}` } };
    for (const asked of [withoutCredentials, forged])
      expect((await stack.client.send('POST', path, asked)).status).toBe(401);
    expect(await stack.database.many("select from workflow_runs where workflow_name = 'of-ann'")).toEqual([]);
  });
});
