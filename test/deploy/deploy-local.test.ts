import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findPython } from '../../localstack/emulator/python.ts';
import { type RunningCommand, startCommand } from '../support/command.ts';
import { eventually } from '../support/eventually.ts';
import { createRunClient } from '../support/run-client.ts';
import { sequence } from '../support/sequence.ts';

const python = await findPython();
let folder: string;
let command: RunningCommand | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'stepline-deploy-local-'));
});
afterEach(() => {
  command?.signalGroup('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

test.skipIf(python === null)(
  'the command deploys, answers, and leaves nothing when it is killed',
  async () => {
    command = startCommand('npm', ['run', '--silent', 'deploy:local', '--', '--folder', folder]);
    const output = await command.untilPrinted(/^ready .+$/m);
    const [, url = ''] = /^ready (.+)$/m.exec(output) ?? [];
    const [, key = ''] = /^KEY=(.+)$/m.exec(output) ?? [];
    const answer = await fetch(`${url}/api/v1/agents`, { headers: { 'x-api-key': key } });
    expect(await answer.json()).toMatchObject({ success: true });
    expect(output).toMatch(/^Agents: .*\blambda-echo-agent\b/m);
    const client = createRunClient(url, { 'x-api-key': key });
    const workflowId = await client.createWorkflow(sequence('by-a-function', 'lambda-echo-agent', 1));
    const runId = await client.execute(workflowId, { message: 'deployed' });
    expect(await client.ended(runId, 30_000)).toMatchObject({
      status: 'COMPLETED',
      output_data: { message: 'deployed' },
    });
    const running = command.stillRunning().join('\n');
    for (const part of [
      'bin/postgres',
      'kafka.Kafka',
      '-m ministack',
      'ministack-lambda-',
      'agents/server.ts',
    ])
      expect(running).toContain(part);

    command.signalGroup('SIGKILL');
    const { stillRunning } = command;
    await eventually('the end of every process', stillRunning, ({ length }) => length === 0);
    await eventually(
      'the removal of the data',
      () => readdirSync(folder),
      ({ length }) => length === 0,
    );
  },
);
