import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { ceaseWatching, endWithLauncher } from '../guardian.ts';
import { withCompileCache } from '../project-folder.ts';
import { demoAgents } from './demo-agents.ts';

export interface RunningAgents {
  readonly pid: number;
  /** Where each agent is called, by its name. */
  readonly urls: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

export interface AgentsOptions {
  /** What calls are signed with. */
  readonly secret: string;
  readonly log: (line: string) => void;
}

/** The demo agents in a process of their own, on a free port. It ends with this one, however this one ends. */
export async function startAgents({ secret, log }: AgentsOptions): Promise<RunningAgents> {
  const child = fork(fileURLToPath(new URL('./server.ts', import.meta.url)), [], {
    execArgv: [],
    env: { PATH: process.env.PATH, ...withCompileCache, AGENTS_SECRET: secret },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  // Besides its own look at the channel, which it does not have yet while it is being loaded.
  if (child.pid !== undefined) endWithLauncher(child.pid);
  for (const output of [child.stdout, child.stderr]) {
    if (output) createInterface(output).on('line', log);
  }
  const exited = once(child, 'exit');
  const started = await Promise.race([once(child, 'message'), exited.then(() => null)]);
  if (started === null) throw new Error('The demo agents did not start; their output is above');
  const [{ port }] = started as [{ port: number }];
  const urls = Object.keys(demoAgents).map((name) => [name, `http://127.0.0.1:${port}/agents/${name}`]);
  return {
    pid: child.pid as number,
    urls: Object.fromEntries(urls),
    async stop() {
      child.kill();
      await exited;
      if (child.pid !== undefined) ceaseWatching(child.pid);
    },
  };
}
