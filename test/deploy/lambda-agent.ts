import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { deployAgent } from '../../localstack/emulator/deploy-agent.ts';
import type { Emulator } from '../../localstack/emulator/emulator.ts';

/** Says what it got, and what it runs on. */
const code = `export const handler = async ({ input_data }) => ({ message: input_data.message, node: process.version });`;

/**
 * @param python that makes the archive
 * @returns its ARN
 */
export function deployLambdaAgent(emulator: Emulator, python: string, folder: string): Promise<string> {
  const module = join(folder, 'agent', 'index.mjs');
  mkdirSync(join(folder, 'agent'));
  writeFileSync(module, code);
  return deployAgent(emulator, { name: 'deployed-agent', timeoutMs: 10_000, module, python });
}
