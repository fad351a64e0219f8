import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { generateSecret } from '../../shared/agents/secrets.ts';
import { lambdaAgents } from '../agents/lambda-agents.ts';
import { registerAgents } from '../agents/register-agents.ts';
import { startAgents } from '../agents/start-agents.ts';
import { apiClient } from '../api-client.ts';
import { bundleAgent, deployAgent } from '../emulator/deploy-agent.ts';
import { type Emulator, startEmulator } from '../emulator/emulator.ts';
import { createLocalDeployment } from '../emulator/local-deployment.ts';
import { findPython } from '../emulator/python.ts';
import type { FunctionSettings } from '../function-process.ts';
import { projectFolder } from '../project-folder.ts';
import { startServers } from '../servers.ts';
import { endOnSignal } from './end-on-signal.ts';
import { makeOwnFolder } from './own-folder.ts';
import { runCommand } from './run-command.ts';

const usage = `npm run deploy:local -- [--folder path]

  --folder  where a folder is made for what runs, and removed at the end, instead of .stepline

Deploys the environment \`local\` of the CDK app to an emulator of AWS and stays until Ctrl-C. AWS_ENDPOINT_URL, DATABASE_URL and
KAFKA_BROKERS replace what it would start itself; see README.md.`;

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { folder: { type: 'string' }, help: { type: 'boolean' } } });
  if (values.help) return console.log(usage);
  const parent = resolve(values.folder ?? join(projectFolder, '.stepline'));
  const folder = makeOwnFolder(parent, 'deployed-');

  const running: { stop(): Promise<void> }[] = [];
  const stop = async () => {
    for (const each of running.splice(0).toReversed()) await each.stop();
  };
  let isEnding = false;
  endOnSignal(() => {
    isEnding = true;
    return stop();
  });
  try {
    await start(folder, running);
  } catch (error) {
    // A deployment that is broken off fails, too.
    if (isEnding) return;
    await stop();
    throw error;
  }
}

async function start(folder: string, running: { stop(): Promise<void> }[]): Promise<void> {
  const { AWS_ENDPOINT_URL: url, DATABASE_URL: databaseUrl, KAFKA_BROKERS: kafkaBrokers } = process.env;
  const servers = await startServers({ dataDir: folder, databaseUrl, kafkaBrokers, onProgress: say });
  running.push(servers);
  const emulator = await startEmulator({ url, folder, onProgress: say });
  running.push(emulator);
  say(`AWS is emulated at ${emulator.url}. Deploying to it; what is printed is in ${folder}`);
  const log = (source: string, line: string) => console.log(`${source.padEnd(20)} ${line}`);
  const deployment = createLocalDeployment({ emulator, servers, folder, log });
  running.push(deployment);
  await deployment.bootstrap();
  const { apiUrl, apiKey } = await deployment.deploy();

  const secret = generateSecret();
  const agents = await startAgents({ secret, log: (line) => log('agents', line) });
  running.push(agents);
  const functionArns = await deployLambdaAgents(emulator, folder);
  await registerAgents(apiClient(apiUrl, apiKey), { urls: agents.urls, functionArns, secret });
  const names = Object.keys({ ...agents.urls, ...functionArns });
  say(`Agents: ${names.join(', ')}`, `API=${apiUrl}`, `KEY=${apiKey}`, `ready ${apiUrl}`);
}

/** By name. None without Python, which makes their archives and which an emulator that was there already does not need. */
async function deployLambdaAgents(emulator: Emulator, folder: string): Promise<Record<string, string>> {
  const python = await findPython();
  if (python === null) return {};
  const deploy = async (agent: FunctionSettings) => {
    const module = bundleAgent(agent, join(folder, 'agents'));
    return [agent.name, await deployAgent(emulator, { ...agent, module, python })] as const;
  };
  return Object.fromEntries(await Promise.all(lambdaAgents.map(deploy)));
}

function say(...lines: string[]): void {
  for (const line of lines) console.log(line);
}

runCommand(main, usage);
