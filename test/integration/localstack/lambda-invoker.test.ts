import { LambdaClient } from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { lambdaInvoker } from '../../../localstack/emulator/lambda-invoker.ts';
import { inProcessFunction } from '../../../localstack/in-process-function.ts';
import type { Invoker } from '../../../localstack/invocation.ts';
import { type RunningLambdaApi, startLambdaApi } from '../../../localstack/lambda-api.ts';

let api: RunningLambdaApi;
let client: LambdaClient;
beforeAll(async () => {
  const echo = inProcessFunction({
    functionName: 'echo',
    createHandler: () => async (event: unknown) => event,
  });
  const silent = inProcessFunction({ functionName: 'silent', createHandler: () => async () => undefined });
  const failing = inProcessFunction({
    functionName: 'failing',
    createHandler: () => async () => {
      throw new RangeError('out of it');
    },
  });
  const functions = [echo, silent, failing].map((each): [string, Invoker] => [each.functionName, each]);
  api = await startLambdaApi({ functions: new Map(functions) });
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  client = new LambdaClient({ endpoint: api.url, region: 'us-east-1', credentials, maxAttempts: 1 });
});
afterAll(async () => {
  client.destroy();
  await api.stop();
});

const invoke = (functionName: string, event: unknown) =>
  lambdaInvoker(client, functionName, 'live').invoke(event);

test('what a deployed function answers is the payload, null where it says nothing', async () => {
  expect(await invoke('echo', { records: ['ä', { n: 1 }] })).toEqual({
    ok: true,
    payload: { records: ['ä', { n: 1 }] },
  });
  expect(await invoke('silent', {})).toEqual({ ok: true, payload: null });
});

test('what it throws is a failed invocation, by its name', async () => {
  expect(await invoke('failing', {})).toMatchObject({
    ok: false,
    error: { errorType: 'RangeError', errorMessage: 'out of it' },
  });
});

test('a refusal of the Lambda API, and nobody there, are failed invocations too', async () => {
  expect(await invoke('absent', {})).toMatchObject({
    ok: false,
    error: {
      errorType: 'ResourceNotFoundException',
      errorMessage: expect.stringMatching(/^Function not found: .*:absent$/),
    },
  });
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  const nowhere = new LambdaClient({
    endpoint: 'http://127.0.0.1:1',
    region: 'us-east-1',
    credentials,
    maxAttempts: 1,
  });
  expect(await lambdaInvoker(nowhere, 'echo', 'live').invoke({})).toMatchObject({
    ok: false,
    error: { errorMessage: expect.stringContaining('ECONNREFUSED') },
  });
  nowhere.destroy();
});
