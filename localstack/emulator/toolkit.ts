import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { spawnGuarded } from '../guardian.ts';
import { lastLines } from '../log-tail.ts';
import { projectFolder } from '../project-folder.ts';
import { StartError } from '../start-error.ts';
import type { Emulator } from './emulator.ts';

export interface Toolkit {
  /**
   * @param cwd whose `cdk.json` says what the app is; this checkout by default
   * @throws StartError with the resources that failed, or else the end of what the toolkit printed
   */
  run(command: string, args?: readonly string[], cwd?: string): Promise<void>;
}

/** The CDK's command line, as one deploys with it, but to the emulator. What each command prints is in a file of its own. */
export function createToolkit(emulator: Emulator, folder: string): Toolkit {
  const cdk = join(projectFolder, 'node_modules', 'aws-cdk', 'bin', 'cdk');
  const env = environmentOf(emulator, folder);
  let commands = 0;
  return {
    async run(command, args = [], cwd = projectFolder) {
      commands += 1;
      const logFile = join(folder, `cdk-${commands}-${command}.log`);
      const flags = ['--ci', '--no-color', '--no-notices', '--no-version-reporting'];
      const toolkit = await spawnGuarded({
        file: process.execPath,
        args: [cdk, command, ...args, ...flags],
        cwd,
        env,
        logFile,
        stopSignal: 'SIGTERM',
        endsDescendants: true,
      });
      const { code } = await toolkit.exited;
      if (code === 0) return;
      throw new StartError('DEPLOYMENT_FAILED', `cdk ${command} failed:\n${reasonsIn(logFile)}`, []);
    },
  };
}

/** Nothing of the user's is read or written: the toolkit remembers accounts by their keys, and a profile would send it elsewhere. */
function environmentOf(emulator: Emulator, folder: string): Record<string, string> {
  return {
    PATH: `${dirname(process.execPath)}:${process.env.PATH}`,
    HOME: folder,
    CDK_HOME: join(folder, 'toolkit'),
    CDK_DISABLE_CLI_TELEMETRY: 'true',
    AWS_CONFIG_FILE: join(folder, 'no-aws-config'),
    AWS_SHARED_CREDENTIALS_FILE: join(folder, 'no-aws-credentials'),
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_ENDPOINT_URL: emulator.url,
    AWS_REGION: emulator.region,
    AWS_DEFAULT_REGION: emulator.region,
    AWS_ACCESS_KEY_ID: emulator.credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: emulator.credentials.secretAccessKey,
    // Of the assets on their way.
    TMPDIR: folder,
  };
}

/** CloudFormation's events of what failed; the toolkit prints much after them. */
function reasonsIn(logFile: string): string {
  const events = readFileSync(logFile, 'utf8').matchAll(/\| \w+_FAILED +\| (.+)/g);
  const reasons = new Set([...events].map(([, reason = '']) => `    ${reason}`));
  return reasons.size > 0 ? [...reasons].join('\n') : lastLines(logFile, 20);
}
