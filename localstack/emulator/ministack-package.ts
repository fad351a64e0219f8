import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { spawnGuarded } from '../guardian.ts';
import { lastLines } from '../log-tail.ts';
import { projectFolder } from '../project-folder.ts';
import { StartError, useOtherEmulator } from '../start-error.ts';
import { findPython } from './python.ts';

const VERSION = '1.5.33';
const cache = join(projectFolder, '.stepline', 'emulator');

/** The Python of a virtual environment that has MiniStack (about 90 MB), made once. */
export async function resolveMiniStack(onProgress: (line: string) => void): Promise<string> {
  const folder = join(cache, `ministack-${VERSION}`);
  const python = join(folder, 'bin', 'python');
  if (existsSync(folder)) return python;
  const machinePython = await findPython();
  if (machinePython === null) {
    throw new StartError(
      'PYTHON_MISSING',
      'The emulator of AWS needs Python 3.10 or newer with venv, which is not here.',
      ['install it: apt-get install python3-venv, brew install python', ...useOtherEmulator],
    );
  }
  mkdirSync(cache, { recursive: true });
  // Complete or absent: two starts at once install twice, and the one that comes second takes what the first has put there.
  const unfinished = `${folder}.${process.pid}`;
  const logFile = `${unfinished}.log`;
  onProgress(`MiniStack ${VERSION}: installing it from PyPI into a virtual environment, once`);
  try {
    await run(machinePython, ['-m', 'venv', unfinished], logFile);
    await run(
      join(unfinished, 'bin', 'python'),
      ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', `ministack==${VERSION}`],
      logFile,
    );
    renameSync(unfinished, folder);
  } catch (error) {
    if (!existsSync(folder)) throw error;
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
    rmSync(logFile, { force: true });
  }
  return python;
}

async function run(file: string, args: readonly string[], logFile: string): Promise<void> {
  const process = await spawnGuarded({ file, args, logFile, stopSignal: 'SIGKILL', endsDescendants: true });
  const { code } = await process.exited;
  if (code === 0) return;
  throw new StartError(
    'EMULATOR_UNAVAILABLE',
    `MiniStack could not be installed: ${file} ${args.join(' ')}\n${lastLines(logFile)}`,
    ['check the network, or the proxy and index of pip, and start again', ...useOtherEmulator],
  );
}
