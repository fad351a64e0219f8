import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { claimPort } from '../free-ports.ts';
import { type StackPart, startLocalStack } from '../local-stack.ts';
import { projectFolder } from '../project-folder.ts';
import { serverStillRunning } from '../running-server.ts';
import { StartError, startBeside } from '../start-error.ts';
import { DevFile } from './dev-file.ts';
import { endOnSignal } from './end-on-signal.ts';
import { runCommand } from './run-command.ts';

const usage = `npm run dev -- [--fresh] [--folder path] [--only api|consumer|bridge]

  --fresh   start with empty Postgres and Kafka; keys stay
  --folder  where data, secrets and dev.json stay, instead of .stepline
  --only    run a part of the functions, against DATABASE_URL and KAFKA_BROKERS

PORT (default 8000), DATABASE_URL, KAFKA_BROKERS, AUTH_MODE, LOG_LEVEL, … are read from the environment; see README.md.`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      fresh: { type: 'boolean' },
      folder: { type: 'string' },
      only: { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  if (values.help) return console.log(usage);
  const folder = resolve(values.folder ?? join(projectFolder, '.stepline'));
  const part = (values.only ?? 'all') as StackPart;
  if (!['all', 'api', 'consumer', 'bridge'].includes(part))
    throw new StartError('FUNCTION_UNAVAILABLE', `--only ${part}: no such part.`, [
      'name one of api, consumer, bridge, or leave --only out',
    ]);
  const hasApi = part === 'all' || part === 'api';
  const port = portOf(process.env.PORT);
  // Before anything is started or removed: most often it is a stack that is running already.
  if (hasApi) await claimPort(port, 'the API', ['stop what listens there', 'or set PORT to another one']);
  if (values.fresh) await removeData(folder);

  const log = (source: string, line: string) => {
    // Metrics for CloudWatch, which a reader finds at /metrics.
    if (!line.startsWith('{"_aws":')) console.log(`${source.padEnd(14)} ${line}`);
  };
  log('start', `PostgreSQL, Kafka and the functions, with their data in ${folder} …`);
  const devFile = new DevFile(join(folder, 'dev.json'));
  const stack = await startLocalStack({
    folder,
    variables: process.env,
    port,
    part,
    withAgents: part === 'all',
    log,
    onPidsChanged: () => {
      devFile.update().catch((error: Error) => log('start', `${devFile.path}: ${error.message}`));
    },
  });
  endOnSignal(async () => {
    await devFile.remove();
    await stack.stop();
  });
  if (hasApi) {
    await devFile.write(stack);
    log(
      'start',
      `the API's documents: ${stack.url}/docs; its key, the servers and the process ids: ${devFile.path}`,
    );
  }
  console.log(`ready ${stack.url ?? part}`);
}

function portOf(text = '8000'): number {
  const port = Number(text);
  if (Number.isInteger(port) && port > 0 && port < 65_536) return port;
  throw new StartError('PORT_IN_USE', `PORT=${text} is no port.`, ['set it to a number from 1 to 65535']);
}

/** Secrets stay: keys that tools have go on working. */
async function removeData(folder: string): Promise<void> {
  const servers = [
    { pidFile: join(folder, 'postgres', 'postmaster.pid'), program: 'postgres' },
    { pidFile: join(folder, 'kafka', 'broker.pid'), program: 'java' },
  ];
  for (const { pidFile, program } of servers) {
    const pid = await serverStillRunning(pidFile, program);
    if (pid === undefined) continue;
    throw new StartError('DATA_IN_USE', `A stack is running on ${folder}: ${program} is process ${pid}.`, [
      'stop it, and start again',
      startBeside,
    ]);
  }
  const data = ['postgres', 'kafka'];
  await Promise.all(data.map((name) => rm(join(folder, name), { recursive: true, force: true })));
}

runCommand(main, usage);
