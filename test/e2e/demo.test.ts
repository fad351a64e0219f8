import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type RunningCommand, startCommand } from '../support/command.ts';
import { eventually } from '../support/eventually.ts';

let folder: string;
let demo: RunningCommand | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stepline-e2e-demo-'));
});
afterEach(async () => {
  demo?.signalGroup('SIGKILL');
  await nothingIsLeft();
  rmSync(folder, { recursive: true, force: true });
});

function startDemo(...args: string[]): RunningCommand {
  demo = startCommand('npm', ['run', '--silent', 'demo', '--', '--folder', folder, ...args]);
  return demo;
}

async function nothingIsLeft(): Promise<void> {
  await eventually(
    'the end of every process',
    () => demo?.stillRunning() ?? [],
    ({ length }) => length === 0,
  );
  await eventually(
    'the removal of the data',
    () => readdirSync(folder),
    (files) => files.every((file) => file === 'demo.log'),
  );
}

test('the demo runs the data pipeline on real servers, shows it, and stops everything', async () => {
  const running = startDemo();
  await running.untilPrinted(/Execution started/);
  const started = running.stillRunning().join('\n');
  for (const server of ['bin/postgres', 'kafka.Kafka', 'agents/server.ts', 'step-executor/index.ts'])
    expect(started).toContain(server);
  expect(await running.exited, running.output()).toBe(0);
  const output = running.output();
  for (const line of [
    /^Starting PostgreSQL, Kafka, the functions and the agents …$/m,
    /^ {2}up in [\d.]+ s at http:\/\/127\.0\.0\.1:\d+$/m,
    /^ {2}agent data-extractor at http:\/\/127\.0\.0\.1:\d+\/agents\/data-extractor$/m,
    /^ {2}agent data-transformer at http:\/\/127\.0\.0\.1:\d+\/agents\/data-transformer$/m,
    /^Workflow data-pipeline created: [0-9a-f-]{36}$/m,
    /^Execution started: run-[0-9a-f-]{36}$/m,
    /^ +[\d.]+ s {2}step extract, attempt 1 +COMPLETED$/m,
    /^ +[\d.]+ s {2}step transform, attempt 1 +COMPLETED$/m,
    /^ +[\d.]+ s {2}run +COMPLETED$/m,
    /^step +agent +status +attempt +duration +input +output$/m,
    /^extract +data-extractor +COMPLETED +1 +\d+ ms +\{"source":"s3:\/\/bucket\/data\.csv"\} +\{/m,
    /^transform +data-transformer +COMPLETED +1 +\d+ ms +\{"data":/m,
    /^The run COMPLETED with the expected output in \d+ ms\.$/m,
    /^Everything that was started has stopped\.$/m,
  ])
    expect(output).toMatch(line);
  await nothingIsLeft();
});

test('without Java it says what to do, and leaves nothing', async () => {
  const running = startCommand('npm', ['run', '--silent', 'demo', '--', '--folder', folder], {
    JAVA_HOME: '/nowhere',
  });
  demo = running;
  expect(await running.exited).toBe(1);
  const output = running.output();
  expect(output).toContain(
    'Java is needed for the Kafka broker, and /nowhere/bin/java cannot be run.\n  - install',
  );
  expect(output).toMatch(/ {2}- the demo has servers of its own: .* run npm run dev\n$/);
  await nothingIsLeft();
});

test.each<[string, RegExp, number]>([
  ['at once', /Starting/, 0],
  ['while the servers are made', /Starting/, 700],
  ['while the functions start', /Starting/, 2_500],
  ['in the middle of the run', /Execution started/, 0],
])('Ctrl-C %s leaves no process and no data', async (_, pattern, delayMs) => {
  const running = startDemo();
  await running.untilPrinted(pattern);
  await sleep(delayMs);
  running.signalGroup('SIGINT');
  expect(await running.exited).not.toBe(0);
  await nothingIsLeft();
});

test('with --keep the stack stays up, until Ctrl-C', async () => {
  const running = startDemo('--keep');
  const output = await running.untilPrinted(/stays up at/);
  const [, url, key] = /stays up at (\S+); its key: (\S+)\. Ctrl-C ends it\./.exec(output) ?? [];
  const answer = await fetch(`${url}/api/v1/workflows`, { headers: { 'x-api-key': key ?? '' } });
  expect(await answer.json()).toMatchObject({ data: [{ name: 'data-pipeline', version: 1 }] });
  running.signalGroup('SIGINT');
  // Of npm, which does not wait for what it started.
  expect([130, 'SIGINT']).toContain(await running.exited);
  await nothingIsLeft();
});
