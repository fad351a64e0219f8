import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { inProcessFunction } from '../../../localstack/in-process-function.ts';
import type { Invoker } from '../../../localstack/invocation.ts';
import { type RunningLambdaApi, startLambdaApi } from '../../../localstack/lambda-api.ts';
import { handler } from './fixtures/probe.ts';

const folder = mkdtempSync(join(tmpdir(), 'stepline-lambda-api-'));
const log: string[] = [];
const functions = new Map<string, Invoker>();
const settings = {
  region: 'us-east-1',
  credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  maxAttempts: 1,
};
let failures = 0;
let api: RunningLambdaApi;
let client: LambdaClient;

beforeAll(async () => {
  const failing = () => {
    failures += 1;
    throw new Error('again and again');
  };
  functions.set('probe', inProcessFunction({ functionName: 'probe', createHandler: () => handler }));
  functions.set('failing', inProcessFunction({ functionName: 'failing', createHandler: () => failing }));
  api = await startLambdaApi({ functions, asynchronousRetries: 1, log: (line) => log.push(line) });
  client = new LambdaClient({ ...settings, endpoint: api.url });
});

afterAll(async () => {
  client.destroy();
  await api.stop();
  rmSync(folder, { recursive: true });
});

const invoke = (input: Partial<InvokeCommand['input']>) =>
  client.send(new InvokeCommand({ FunctionName: 'probe', ...input }));

test('the real client invokes and gets the answer', async () => {
  const answer = await invoke({ Payload: JSON.stringify({}) });
  expect(answer).toMatchObject({ StatusCode: 200, ExecutedVersion: '$LATEST' });
  expect(answer.FunctionError).toBeUndefined();
  expect(JSON.parse(answer.Payload?.transformToString() ?? '')).toMatchObject({ pid: process.pid });
});

test('a function is found by its ARN too', async () => {
  const answer = await invoke({
    FunctionName: 'arn:aws:lambda:us-east-1:000000000000:function:probe:$LATEST',
  });
  expect(answer.StatusCode).toBe(200);
});

test('what the handler throws is a function error', async () => {
  const answer = await invoke({ Payload: JSON.stringify({ do: 'throw' }) });
  expect(answer).toMatchObject({ StatusCode: 200, FunctionError: 'Unhandled' });
  expect(JSON.parse(answer.Payload?.transformToString() ?? '')).toMatchObject({
    errorType: 'RangeError',
    errorMessage: 'out of range',
  });
});

test('an asynchronous invocation is answered with 202 at once, and carried out', async () => {
  const file = join(folder, 'written');
  const answer = await invoke({ InvocationType: 'Event', Payload: JSON.stringify({ do: 'write', file }) });
  expect(answer.StatusCode).toBe(202);
  await expect.poll(() => readFileSync(file, 'utf8')).toBe(JSON.stringify({ do: 'write', file }));
});

test('an asynchronous invocation that fails is tried again as often as configured', async () => {
  const answer = await invoke({ FunctionName: 'failing', InvocationType: 'Event' });
  expect(answer.StatusCode).toBe(202);
  await expect.poll(() => log.length).toBe(2);
  expect(failures).toBe(2);
  expect(log[0]).toBe('asynchronous invocation of failing failed: Error: again and again');
});

test('a dry run invokes nothing', async () => {
  expect(await invoke({ InvocationType: 'DryRun', Payload: JSON.stringify({ do: 'throw' }) })).toMatchObject({
    StatusCode: 204,
  });
});

test('beyond its concurrency a function is throttled where it is to be, and waited for where it is not', async () => {
  const release = Promise.withResolvers<void>();
  const settings = { createHandler: () => () => release.promise, maxConcurrency: 1 };
  functions.set('throttled', inProcessFunction({ functionName: 'throttled', ...settings, throttles: true }));
  functions.set('patient', inProcessFunction({ functionName: 'patient', ...settings }));
  const [throttled, ...patient] = ['throttled', 'patient', 'patient'].map((FunctionName) =>
    invoke({ FunctionName }),
  );
  await expect
    .poll(() => invoke({ FunctionName: 'throttled' }).catch((error: unknown) => error))
    .toMatchObject({
      name: 'TooManyRequestsException',
      Reason: 'ReservedFunctionConcurrentInvocationLimitExceeded',
      $metadata: { httpStatusCode: 429 },
    });
  release.resolve();
  for (const each of [throttled, ...patient]) expect((await each)?.StatusCode).toBe(200);
  expect((await invoke({ FunctionName: 'throttled' })).StatusCode).toBe(200);
});

test('functions that are not here are invoked elsewhere, where there is such a place', async () => {
  const front = await startLambdaApi({ functions: new Map(), elsewhere: api.url });
  const lost = await startLambdaApi({ functions: new Map(), elsewhere: 'http://127.0.0.1:1' });
  const clientOf = ({ url }: RunningLambdaApi) => new LambdaClient({ ...settings, endpoint: url });
  const [through, into] = [clientOf(front), clientOf(lost)];
  const answer = await through.send(new InvokeCommand({ FunctionName: 'probe' }));
  expect(JSON.parse(answer.Payload?.transformToString() ?? '')).toMatchObject({ pid: process.pid });
  const thrown = await through.send(
    new InvokeCommand({ FunctionName: 'probe', Payload: JSON.stringify({ do: 'throw' }) }),
  );
  expect(thrown.FunctionError).toBe('Unhandled');
  await expect(through.send(new InvokeCommand({ FunctionName: 'nobody' }))).rejects.toMatchObject({
    name: 'ResourceNotFoundException',
  });
  await expect(into.send(new InvokeCommand({ FunctionName: 'probe' }))).rejects.toMatchObject({
    message: expect.stringContaining('http://127.0.0.1:1 did not answer'),
    $metadata: { httpStatusCode: 500 },
  });
  for (const each of [through, into]) each.destroy();
  await Promise.all([front.stop(), lost.stop()]);
});

test('refusals are the client’s own exceptions', async () => {
  await expect(invoke({ FunctionName: 'nobody' })).rejects.toMatchObject({
    name: 'ResourceNotFoundException',
    message: 'Function not found: arn:aws:lambda:us-east-1:000000000000:function:nobody',
    $metadata: { httpStatusCode: 404 },
  });
  await expect(invoke({ Payload: '{' })).rejects.toMatchObject({ name: 'InvalidRequestContentException' });
  const oneMegabyte = JSON.stringify('x'.repeat(1_048_576));
  await expect(invoke({ InvocationType: 'Event', Payload: oneMegabyte })).rejects.toMatchObject({
    name: 'RequestTooLargeException',
    $metadata: { httpStatusCode: 413 },
  });
  expect((await invoke({ Payload: oneMegabyte })).StatusCode).toBe(200);
});
