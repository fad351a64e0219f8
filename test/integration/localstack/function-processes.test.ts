import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import {
  type FunctionProcesses,
  type FunctionSettings,
  functionProcesses,
} from '../../../localstack/function-process.ts';

const entry = (name: string) => fileURLToPath(new URL(`./fixtures/${name}.ts`, import.meta.url));
const lines: string[] = [];
const started: FunctionProcesses[] = [];

function probe(settings: Partial<FunctionSettings> = {}): FunctionProcesses {
  const processes = functionProcesses(
    { name: 'probe', entry: entry('probe'), timeoutMs: 60_000, ...settings },
    (name, line) => lines.push(`${name}: ${line}`),
  );
  started.push(processes);
  return processes;
}

afterEach(async () => {
  await Promise.all(started.splice(0).map((processes) => processes.stop()));
  lines.length = 0;
});

test('the first environment is there when asked for, in a process with an environment of its own, on Node 24', async () => {
  const processes = probe({ env: { GREETING: 'hello' } });
  await processes.warm();
  const [pid] = processes.pids();
  expect(await processes.invoke({})).toEqual({
    ok: true,
    payload: { pid, invocations: 1, node: '24', greeting: 'hello' },
  });
  expect(await processes.invoke({})).toEqual({
    ok: true,
    payload: { pid, invocations: 2, node: '24', greeting: 'hello' },
  });
  expect(pid).not.toBe(process.pid);
});

test('an environment has one invocation at a time; more are started up to the limit, beyond which callers wait', async () => {
  const processes = probe({ maxConcurrency: 2 });
  const results = await Promise.all([1, 2, 3, 4].map(() => processes.invoke({ do: 'sleep', ms: 50 })));
  const pids = results.map((result) => (result.ok ? (result.payload as { pid: number }).pid : 0));
  expect(new Set(pids).size).toBe(2);
  expect(processes.pids().toSorted()).toEqual([...new Set(pids)].toSorted());
});

test('what the handler throws comes back as an error, and the environment goes on', async () => {
  const processes = probe();
  expect(await processes.invoke({ do: 'throw' })).toEqual({
    ok: false,
    error: {
      errorType: 'RangeError',
      errorMessage: 'out of range',
      trace: expect.arrayContaining([expect.stringContaining('RangeError: out of range')]),
    },
  });
  expect(await processes.invoke({})).toMatchObject({ ok: true, payload: { invocations: 2 } });
});

test('a timeout is a failed invocation, ends even a busy loop, and the next is a cold start', async () => {
  const processes = probe();
  await processes.warm();
  const [pid] = processes.pids();
  expect(await processes.invoke({ do: 'spin' }, { timeoutMs: 200, requestId: 'request-1' })).toEqual({
    ok: false,
    error: {
      errorType: 'Sandbox.Timedout',
      errorMessage: 'RequestId: request-1 Error: Task timed out after 0.20 seconds',
      trace: [],
    },
  });
  const next = await processes.invoke({});
  expect(next).toMatchObject({ ok: true, payload: { invocations: 1 } });
  expect(processes.pids()).not.toContain(pid);
});

test('kill -9 in the middle is a failed invocation, and the next is a cold start', async () => {
  const processes = probe();
  await processes.warm();
  const [pid = 0] = processes.pids();
  const invocation = processes.invoke({ do: 'sleep', ms: 10_000 });
  await sleep(50);
  process.kill(pid, 'SIGKILL');
  expect(await invocation).toEqual({
    ok: false,
    error: {
      errorType: 'Runtime.ExitError',
      errorMessage: 'Runtime exited with error: signal: SIGKILL',
      trace: [],
    },
  });
  expect(await processes.invoke({})).toMatchObject({ ok: true, payload: { invocations: 1 } });
});

test('a handler that exits has failed', async () => {
  expect(await probe().invoke({ do: 'exit' })).toMatchObject({
    ok: false,
    error: { errorType: 'Runtime.ExitError', errorMessage: 'Runtime exited with error: exit status 3' },
  });
});

test('the context is Lambda’s', async () => {
  const processes = probe({ memoryMb: 512 });
  await processes.warm();
  const result = await processes.invoke({ do: 'context' }, { requestId: 'request-2', timeoutMs: 15_000 });
  expect(result).toMatchObject({
    ok: true,
    payload: {
      functionName: 'probe',
      functionVersion: '$LATEST',
      invokedFunctionArn: 'arn:aws:lambda:us-east-1:000000000000:function:probe',
      memoryLimitInMB: '512',
      awsRequestId: 'request-2',
    },
  });
  const { remaining } = (result as { payload: { remaining: number } }).payload;
  expect(remaining).toBeGreaterThan(5_000);
  expect(remaining).toBeLessThanOrEqual(15_000);
});

test('events and answers are limited to 6 MB', async () => {
  const processes = probe();
  expect(await processes.invoke('x'.repeat(6_291_456))).toMatchObject({
    ok: false,
    error: { errorType: 'RequestTooLargeException' },
  });
  expect(await processes.invoke({ do: 'large' })).toMatchObject({
    ok: false,
    error: {
      errorType: 'Function.ResponseSizeTooLarge',
      errorMessage: 'Response payload size exceeded maximum allowed payload size (6291556 bytes).',
    },
  });
});

test('what a function prints is passed on, line by line, under its name', async () => {
  await probe().invoke({ do: 'print' });
  await expect.poll(() => lines.toSorted()).toEqual(['probe: to stderr', 'probe: to stdout']);
});

test('a module that cannot be imported fails the start, and every invocation, with its own message', async () => {
  const processes = probe({ entry: entry('broken') });
  await expect(processes.warm()).rejects.toThrow(
    /The function probe .* cannot start: Error: no configuration/,
  );
  expect(await processes.invoke({})).toMatchObject({
    ok: false,
    error: { errorMessage: 'no configuration' },
  });
});
