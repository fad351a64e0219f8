import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CreateFunctionCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { buildSync } from 'esbuild';
import type { FunctionSettings } from '../function-process.ts';
import type { Emulator } from './emulator.ts';

export interface AgentToDeploy extends Pick<FunctionSettings, 'name' | 'timeoutMs'> {
  /** Its module, which exports `handler`, with all that it needs in it. */
  readonly module: string;
  /** That makes the archive. */
  readonly python: string;
}

/**
 * An agent that is a function, deployed as its owners do it: by themselves, with the tag that lets the bridge invoke it.
 * @returns its ARN
 */
export async function deployAgent(
  { url: endpoint, region, credentials, account }: Emulator,
  { name, timeoutMs = 3_000, module, python }: AgentToDeploy,
): Promise<string> {
  const archive = join(dirname(module), `${name}.zip`);
  execFileSync(python, ['-m', 'zipfile', '-c', archive, module]);
  const client = new LambdaClient({ endpoint, region, credentials });
  try {
    const { FunctionArn = name } = await client.send(
      new CreateFunctionCommand({
        FunctionName: name,
        Runtime: 'nodejs24.x',
        Handler: 'index.handler',
        Role: `arn:aws:iam::${account}:role/${name}`,
        Code: { ZipFile: readFileSync(archive) },
        Tags: { 'stepline:agent': 'true' },
        Timeout: Math.ceil(timeoutMs / 1_000),
      }),
    );
    return FunctionArn;
  } finally {
    client.destroy();
  }
}

/** @returns the module that a function's sources are bundled to, as `index.mjs` in a folder of its own */
export function bundleAgent(
  { name, entry }: Pick<FunctionSettings, 'name' | 'entry'>,
  folder: string,
): string {
  const outfile = join(folder, name, 'index.mjs');
  buildSync({
    entryPoints: [entry],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    logLevel: 'error',
  });
  return outfile;
}
