import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { type RunningStack, startStack } from '../../../localstack/stack.ts';
import { MappingHarness } from './mapping-harness.ts';

const entry = (name: string) => fileURLToPath(new URL(`./fixtures/${name}.ts`, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'stepline-stack-'));
const clockFile = join(folder, 'clock');
let harness: MappingHarness;
let topic: string;
let stack: RunningStack;

beforeAll(async () => {
  harness = await MappingHarness.open(inject('kafkaBrokers'), 'stack');
  topic = await harness.createTopic();
  stack = await startStack({
    kafkaBrokers: inject('kafkaBrokers'),
    functions: [
      { name: 'api', entry: entry('http-echo') },
      { name: 'relay', entry: entry('relay') },
      { name: 'probe', entry: entry('probe') },
      { name: 'clock', entry: entry('clock'), env: { CLOCK_FILE: clockFile } },
    ],
    mappings: [{ topic, functionName: 'relay', consumerGroupId: `${topic}.relay`, batchSize: 10 }],
    schedules: [{ functionName: 'clock', rateMs: 60_000 }],
    api: { functionName: 'api' },
  });
});

afterAll(async () => {
  await stack.stop();
  await harness.close();
  rmSync(folder, { recursive: true });
});

test('HTTP requests reach the API’s function', async () => {
  const answer = await fetch(`${stack.url}/api/v1/workflows`);
  expect(answer.status).toBe(200);
  expect(await answer.json()).toMatchObject({ httpMethod: 'GET', path: '/api/v1/workflows' });
});

test('records reach their function, which invokes another one asynchronously by the SDK', async () => {
  const file = join(folder, 'relayed');
  await harness.produce(topic, [{ key: file, value: 'hello' }]);
  await expect.poll(() => existsSync(file)).toBe(true);
  expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ value: 'hello' });
});

test('the schedule has fired', async () => {
  await expect.poll(() => existsSync(clockFile)).toBe(true);
  expect(JSON.parse(readFileSync(clockFile, 'utf8'))).toMatchObject({ 'detail-type': 'Scheduled Event' });
});

test('every function has a process of its own, named by pids, and another one after it was killed', async () => {
  const before = stack.pids();
  expect(Object.keys(before)).toEqual(['api', 'relay', 'probe', 'clock']);
  expect(new Set(Object.values(before)).size).toBe(4);
  process.kill(before.api ?? 0, 'SIGKILL');
  await expect.poll(async () => (await fetch(`${stack.url}/`)).status).toBe(200);
  expect(stack.pids().api).not.toBe(before.api);
});

test('a function that cannot start ends the start, with nothing left running', async () => {
  const functions = [
    { name: 'fine', entry: entry('probe') },
    { name: 'broken', entry: entry('broken') },
  ];
  await expect(startStack({ kafkaBrokers: inject('kafkaBrokers'), functions })).rejects.toMatchObject({
    code: 'FUNCTION_UNAVAILABLE',
  });
});
