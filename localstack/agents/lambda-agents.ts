import { fileURLToPath } from 'node:url';
import type { FunctionSettings } from '../function-process.ts';
import { functionArn } from '../invocation.ts';

/** The demo agents that are Lambda functions, each in processes of its own. An agent is called as its function is. */
export const lambdaAgents: readonly FunctionSettings[] = [
  {
    name: 'lambda-echo-agent',
    entry: fileURLToPath(new URL('./lambda-echo-agent.ts', import.meta.url)),
    timeoutMs: 30_000,
  },
];

/** Where each is invoked, by its name. */
export const lambdaAgentArns: Readonly<Record<string, string>> = Object.fromEntries(
  lambdaAgents.map(({ name }) => [name, functionArn(name)]),
);
