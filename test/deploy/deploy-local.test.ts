import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findPython } from '../../localstack/emulator/python.ts';
import { type RunningCommand, startCommand } from '../support/command.ts';
import { eventually } from '../support/eventually.ts';

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
