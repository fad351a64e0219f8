import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type LocalStack, type StackPart, startLocalStack } from '../local-stack.ts';
import { projectFolder } from '../project-folder.ts';
import { StartError } from '../start-error.ts';
import { endOnSignal } from './end-on-signal.ts';

const usage = `npm run dev -- [--fresh] [--folder path] [--only api|consumer|bridge]

  --fresh   start with empty Postgres and Kafka
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
  const part = (values.only ?? 'all') as StackPart;
  if (!['all', 'api', 'consumer', 'bridge'].includes(part))
    throw new StartError('FUNCTION_UNAVAILABLE', `--only ${part}: no such part`, [usage]);
  if (values.fresh) {
    // Secrets stay: keys that tools have go on working.
    const data = ['postgres', 'kafka'];
    await Promise.all(data.map((name) => rm(join(folder, name), { recursive: true, force: true })));
  }
  const stack = await startLocalStack({
    folder,
    variables: process.env,
    port: Number(process.env.PORT ?? 8000),
    part,
    withAgents: part === 'all',
    log: (source, line) => console.log(`${source.padEnd(14)} ${line}`),
  });
  endOnSignal(() => stack.stop());
  await writeDevFile(stack);
  console.log(`ready ${stack.url ?? part}`);
}

/** For tools to pick up; only the user may read it, since keys are in it. */
async function writeDevFile({ url, secrets, servers, agents, pids }: LocalStack): Promise<void> {
  const content = {
    url,
    api_key: secrets.apiKey,
    jwt_secret: secrets.jwtSecret,
    database_url: servers.databaseUrl,
    kafka_brokers: servers.kafkaBrokers,
    agents: agents?.urls ?? {},
    pids: { launcher: process.pid, ...pids() },
  };
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'dev.json'), `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
}

main().catch((error: unknown) => {
  console.error(error instanceof StartError ? error.message : error);
  process.exitCode = 1;
});
