import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** What MiniStack needs of it. */
const oldestMinor = 10;
const question = 'import sys, venv, ensurepip; print(*sys.version_info[:2])';

/** The Python 3.10 or newer of this machine that can make virtual environments; null: there is none. */
export async function findPython(): Promise<string | null> {
  for (const command of ['python3', 'python']) {
    const version = await promisify(execFile)(command, ['-c', question]).catch(() => null);
    const [major, minor] = version?.stdout.trim().split(' ').map(Number) ?? [];
    if (major === 3 && minor !== undefined && minor >= oldestMinor) return command;
  }
  return null;
}
