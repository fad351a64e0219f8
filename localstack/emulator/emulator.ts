import { randomInt } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { freePort } from '../free-ports.ts';
import { endGuarded, type GuardedProcess, spawnGuarded } from '../guardian.ts';
import { emulatedAccount, emulatedRegion } from '../invocation.ts';
import { lastLines } from '../log-tail.ts';
import { StartError, useOtherEmulator } from '../start-error.ts';
import { startOnFreePorts } from '../start-on-free-ports.ts';
import { progressOfProcess, untilStarted } from '../until-started.ts';
import { resolveMiniStack } from './ministack-package.ts';

/** AWS on this machine, as far as it is emulated. */
export interface Emulator {
  /** Without a trailing slash. */
  readonly url: string;
  readonly region: string;
  readonly account: string;
  /** Made up: with these, nobody can come to a real account. */
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  stop(): Promise<void>;
}

export interface EmulatorOptions {
  /** Of an emulator that is there already, instead of a MiniStack of our own. */
  readonly url?: string | undefined;
  readonly folder: string;
  readonly onProgress: (line: string) => void;
}

export async function startEmulator({ url, folder, onProgress }: EmulatorOptions): Promise<Emulator> {
  if (url) return runningEmulator(url.replace(/\/+$/, ''));
  return startMiniStack(folder, await resolveMiniStack(onProgress), onProgress);
}

async function runningEmulator(url: string): Promise<Emulator> {
  await fetch(url, { signal: AbortSignal.timeout(10_000) }).catch((cause: Error) => {
    throw new StartError(
      'EMULATOR_UNAVAILABLE',
      `Nobody answers at AWS_ENDPOINT_URL, ${url}.`,
      ['start the emulator, or unset AWS_ENDPOINT_URL: then one is started'],
      cause,
    );
  });
  return {
    url,
    region: emulatedRegion,
    // Whose key is `test`.
    account: emulatedAccount,
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    stop: async () => {},
  };
}

async function startMiniStack(
  folder: string,
  python: string,
  onProgress: EmulatorOptions['onProgress'],
): Promise<Emulator> {
  // It leaves the code of its functions there.
  mkdirSync(join(folder, 'emulator-tmp'), { recursive: true });
  // Each start has an account of its own. Twelve digits for a key are the account's number.
  const account = String(randomInt(1e11, 2e11));
  const { server, url } = await spawnMiniStack(folder, python, account, onProgress);
  return {
    url,
    region: emulatedRegion,
    account,
    credentials: { accessKeyId: account, secretAccessKey: 'test' },
    stop: () => endGuarded(server, 'SIGTERM', 'SIGKILL', 5_000),
  };
}

function spawnMiniStack(
  folder: string,
  python: string,
  account: string,
  onProgress: EmulatorOptions['onProgress'],
): Promise<{ server: GuardedProcess; url: string }> {
  const logFile = join(folder, 'emulator.log');
  return startOnFreePorts(logFile, async () => {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const server = await spawnGuarded({
      file: python,
      args: ['-m', 'ministack'],
      cwd: folder,
      env: environmentOf(folder, account, port),
      logFile,
      stopSignal: 'SIGTERM',
      endsDescendants: true,
    });
    const outcome = await untilStarted({
      name: 'MiniStack',
      waitsUntil: `it answers at ${url}`,
      isReady: () => isHealthy(url),
      hasExited: server.hasExited,
      progress: () => progressOfProcess(server.pid, logFile),
      lastWords: () => lastLines(logFile, 1).trim(),
      tell: onProgress,
    });
    if (outcome.ready) return { server, url };
    server.kill('SIGKILL');
    const problem = `MiniStack did not start: ${outcome.reason}:\n${lastLines(logFile)}`;
    throw new StartError('EMULATOR_UNAVAILABLE', problem, [`read ${logFile}`, ...useOtherEmulator]);
  });
}

function environmentOf(folder: string, account: string, port: number): Record<string, string> {
  return {
    // Functions run on the first `node` of the path, whatever their runtime says.
    PATH: `${dirname(process.execPath)}:${process.env.PATH}`,
    HOME: folder,
    TMPDIR: join(folder, 'emulator-tmp'),
    S3_DATA_DIR: join(folder, 'emulator-s3'),
    STATE_DIR: join(folder, 'emulator-state'),
    GATEWAY_PORT: String(port),
    BIND_HOST: '127.0.0.1',
    // Whose APIs answer requests that nobody has signed.
    MINISTACK_ACCOUNT_ID: account,
    TZ: 'UTC',
  };
}

function isHealthy(url: string): Promise<boolean> {
  return fetch(`${url}/_ministack/health`, { signal: AbortSignal.timeout(2_000) }).then(
    ({ ok }) => ok,
    () => false,
  );
}
