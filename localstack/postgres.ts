import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import pg from 'pg';
import { claimPort } from './free-ports.ts';
import { endGuarded, type GuardedProcess, spawnGuarded } from './guardian.ts';
import { lastLines } from './log-tail.ts';
import {
  findPostgresBinaries,
  findPostgresUser,
  type PostgresBinaries,
  type PostgresMajor,
  type PostgresUser,
} from './postgres-binaries.ts';
import { serverStillRunning } from './running-server.ts';
import { StartError, startBeside, useOtherPostgres } from './start-error.ts';
import { startOnFreePorts } from './start-on-free-ports.ts';
import { progressOfProcess, untilStarted } from './until-started.ts';

export interface PostgresOptions {
  dataDir: string;
  port?: number;
  /** The newest unless said otherwise. */
  major?: PostgresMajor;
  /** Told, a line at a time, how a slow start goes on. */
  onProgress?: (line: string) => void;
  /** PostgreSQL settings by name, on top of this file's. */
  settings?: Readonly<Record<string, string>>;
}

export interface RunningPostgres {
  /** Of the database `workflow_db`, as its owner. */
  url: string;
  pid: number;
  port: number;
  /** In good order: clients are disconnected, everything is on disk. */
  stop(): Promise<void>;
  /** Resolves when it has ended, by whatever cause. */
  exited: Promise<unknown>;
  logFile: string;
  /** SIGKILL, and the wait until its port is free again. */
  kill(): Promise<void>;
}

const user = 'workflow_user';
const password = 'workflow_pass';
const database = 'workflow_db';
const newest: PostgresMajor = 18;

// Durability is as in production (fsync and synchronous_commit stay on); the rest fits a developer's machine.
const settings = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '200',
  shared_buffers: '256MB',
  max_wal_size: '2GB',
  checkpoint_timeout: '15min',
  random_page_cost: '1.1',
  // Compiling costs more than it saves on statements of a millisecond.
  jit: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
};

// Three I/O worker processes are no help on two cores.
const settingsSince18 = { io_method: 'sync' };

/** Real PostgreSQL with the sources' credentials. The folder is made at the first start and kept; the log is beside it. */
export async function startPostgres(options: PostgresOptions): Promise<RunningPostgres> {
  const dataDir = resolve(options.dataDir);
  const logFile = `${dataDir}.log`;
  const { major = newest } = options;
  const binaries = findPostgresBinaries(major);
  const runAs = findPostgresUser([binaries.postgres, join(dataDir, 'base')]);
  mkdirSync(dirname(dataDir), { recursive: true });
  await refuseUnusable(dataDir, major);
  if (!existsSync(join(dataDir, 'PG_VERSION'))) await initialise(dataDir, logFile, binaries, runAs);

  const { server, port } = await startOnFreePorts(logFile, async () => {
    const remedies = ['stop what listens there', ...useOtherPostgres];
    const port = await claimPort(options.port, 'PostgreSQL', remedies, 1_000);
    const flags = Object.entries({
      ...settings,
      ...(major >= 18 && settingsSince18),
      port: String(port),
      ...options.settings,
    });
    const server = await spawnAs(runAs, logFile, [
      binaries.postgres,
      '-D',
      dataDir,
      ...flags.flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ]);
    await createDatabase(urlOf('postgres', port), server, logFile, options.onProgress);
    return { server, port };
  });

  const end = (signal: NodeJS.Signals) => endGuarded(server, signal, 'SIGQUIT', 10_000);
  return {
    url: urlOf(database, port),
    pid: server.pid,
    port,
    exited: server.exited,
    logFile,
    stop: () => end('SIGINT'),
    kill: () => end('SIGKILL'),
  };
}

function urlOf(name: string, port: number): string {
  return `postgresql://${user}:${password}@127.0.0.1:${port}/${name}`;
}

async function refuseUnusable(dataDir: string, major: PostgresMajor): Promise<void> {
  if (!existsSync(dataDir)) return;
  const startFresh = `remove ${dataDir} to start with an empty database (npm run dev -- --fresh does)`;
  const unusable = (problem: string, ...remedies: string[]) =>
    new StartError('POSTGRES_DATA_UNUSABLE', problem, [...remedies, ...useOtherPostgres]);
  const versionFile = join(dataDir, 'PG_VERSION');
  if (!existsSync(versionFile)) {
    if (readdirSync(dataDir).length === 0) return rmSync(dataDir, { recursive: true });
    throw unusable(`${dataDir} is not empty and not a PostgreSQL data folder.`, startFresh);
  }
  const version = readFileSync(versionFile, 'utf8').trim();
  if (version !== String(major)) {
    const problem = `${dataDir} was made by PostgreSQL ${version}; this is PostgreSQL ${major}, which cannot read it.`;
    throw unusable(problem, startFresh);
  }
  const pidFile = join(dataDir, 'postmaster.pid');
  const pid = await serverStillRunning(pidFile, 'postgres');
  if (pid !== undefined) {
    throw unusable(
      `Another PostgreSQL (process ${pid}) is running on ${dataDir}.`,
      `stop the local stack that it belongs to, or: kill -INT ${pid}`,
      startBeside,
    );
  }
  rmSync(pidFile, { force: true });
}

/** Made beside its place and moved there when complete, so that an interrupted start leaves nothing half made. */
async function initialise(
  dataDir: string,
  logFile: string,
  binaries: PostgresBinaries,
  runAs: PostgresUser,
): Promise<void> {
  const unfinished = `${dataDir}.new`;
  const passwordFile = `${dataDir}.password`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { mode: 0o700 });
  writeFileSync(passwordFile, password, { mode: 0o600 });
  if (runAs.owner) {
    chownSync(unfinished, runAs.owner.uid, runAs.owner.gid);
    chownSync(passwordFile, runAs.owner.uid, runAs.owner.gid);
  }
  try {
    const initdb = await spawnAs(runAs, logFile, [
      binaries.initdb,
      `--pgdata=${unfinished}`,
      `--username=${user}`,
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale-provider=builtin',
      '--locale=C.UTF-8',
      '--lc-messages=C',
      '--no-instructions',
    ]);
    const { code } = await initdb.exited;
    if (code !== 0) throw failedStart(`initdb could not make ${dataDir}`, logFile);
    renameSync(unfinished, dataDir);
  } finally {
    rmSync(passwordFile, { force: true });
    rmSync(unfinished, { recursive: true, force: true });
  }
}

function spawnAs(runAs: PostgresUser, logFile: string, command: readonly string[]): Promise<GuardedProcess> {
  const [file = '', ...args] = [...runAs.prefix, ...command];
  // LC_ALL: the machine's locale may not exist for the binaries, and the messages are searched by people.
  return spawnGuarded({
    file,
    args,
    env: { PATH: process.env.PATH, LC_ALL: 'C' },
    cwd: '/',
    ...runAs.ids,
    logFile,
    stopSignal: 'SIGINT',
  });
}

/** Also the wait for readiness: what can create a database is ready. */
async function createDatabase(
  adminUrl: string,
  server: GuardedProcess,
  logFile: string,
  tell: ((line: string) => void) | undefined,
): Promise<void> {
  let cause: unknown;
  const isReady = async () => {
    const client = new pg.Client({ connectionString: adminUrl, connectionTimeoutMillis: 5_000 });
    client.on('error', () => {});
    try {
      await client.connect();
      const existing = await client.query('select 1 from pg_database where datname = $1', [database]);
      if (existing.rowCount === 0) await client.query(`create database ${database}`);
      return true;
    } catch (error) {
      cause = error;
      return false;
    } finally {
      await client.end().catch(() => {});
    }
  };
  const outcome = await untilStarted({
    name: 'PostgreSQL',
    waitsUntil: 'it takes a connection',
    isReady,
    hasExited: server.hasExited,
    progress: () => progressOfProcess(server.pid, logFile),
    lastWords: () => lastLines(logFile, 1).trim(),
    tell,
  });
  if (outcome.ready) return;
  server.kill('SIGQUIT');
  throw failedStart(`PostgreSQL did not start: ${outcome.reason}`, logFile, cause);
}

function failedStart(problem: string, logFile: string, cause?: unknown): StartError {
  const remedies = [`read ${logFile}`, ...useOtherPostgres];
  return new StartError('POSTGRES_UNAVAILABLE', `${problem}:\n${lastLines(logFile)}`, remedies, cause);
}
