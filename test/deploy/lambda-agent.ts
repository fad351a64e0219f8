import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CreateFunctionCommand, LambdaClient } from '@aws-sdk/client-lambda';
import type { Emulator } from '../../localstack/emulator/emulator.ts';

/** Says what it got, and what it runs on. */
const code = `export const handler = async ({ input_data }) => ({ message: input_data.message, node: process.version });`;

/**
 * An agent that is a function, as its owners deploy it: by themselves, with a tag.
 * @param python that makes the archive
 * @returns its ARN
 */
export async function deployLambdaAgent(emulator: Emulator, python: string, folder: string): Promise<string> {
  const archive = join(folder, 'agent.zip');
  const module = join(folder, 'agent', 'index.mjs');
  mkdirSync(join(folder, 'agent'));
  writeFileSync(module, code);
  execFileSync(python, ['-m', 'zipfile', '-c', archive, module]);
  const { url: endpoint, region, credentials, account } = emulator;
  const client = new LambdaClient({ endpoint, region, credentials });
  try {
    const made = await client.send(
      new CreateFunctionCommand({
        FunctionName: 'deployed-agent',
        Runtime: 'nodejs24.x',
        Handler: 'index.handler',
        Role: `arn:aws:iam::${account}:role/deployed-agent`,
        Code: { ZipFile: readFileSync(archive) },
        Tags: { 'stepline:agent': 'true' },
        Timeout: 10,
      }),
    );
    return made.FunctionArn ?? '';
  } finally {
    client.destroy();
  }
}
