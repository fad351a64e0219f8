import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { claimPort, freePort } from './free-ports.ts';
import { endGuarded, type GuardedProcess, spawnGuarded } from './guardian.ts';
import { findJava } from './java.ts';
import { resolveKafkaJars } from './kafka-jars.ts';
import { answersApiVersions } from './kafka-readiness.ts';
import { brokerProperties } from './kafka-settings.ts';
import { lastLines } from './log-tail.ts';
import { serverStillRunning } from './running-server.ts';
import { StartError, startBeside, useOtherKafka } from './start-error.ts';
import { startOnFreePorts } from './start-on-free-ports.ts';
import { progressOfProcess, untilStarted } from './until-started.ts';

export interface KafkaOptions {
  dir: string;
  port?: number;
  /** Told, a line at a time, how a download or a slow start goes on. */
  onProgress?: (line: string) => void;
}

export interface RunningKafka {
  brokers: string;
  pid: number;
  port: number;
  stop(): Promise<void>;
  /** Resolves when it has ended, by whatever cause. */
  exited: Promise<unknown>;
  logFile: string;
  /** SIGKILL, as a machine that goes away. */
  kill(): Promise<void>;
}

/** A real Apache Kafka 4 broker (KRaft). Starting again on the same folder, and port if it matters, finds what was written. */
export async function startKafka(options: KafkaOptions): Promise<RunningKafka> {
  const dir = resolve(options.dir);
  const [java, jars] = await Promise.all([findJava(), resolveKafkaJars(options.onProgress ?? (() => {}))]);
  const logDir = join(dir, 'data');
  const logFile = join(dir, 'broker.log');
  const propertiesFile = join(dir, 'server.properties');
  const pidFile = join(dir, 'broker.pid');
  mkdirSync(dir, { recursive: true });
  await refuseSecondBroker(dir, pidFile);

  const run = (memory: string, mainClass: string, args: readonly string[]) =>
    spawnGuarded({
      file: java,
      args: [
        `-Xmx${memory}`,
        '-XX:+UseSerialGC',
        // A new generation as large as the default's is never given back, and a broker that nobody uses has it all touched in minutes.
        '-Xms48m',
        '-Xmn24m',
        '-XX:-UsePerfData',
        '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
        '-Dorg.slf4j.simpleLogger.showDateTime=true',
        '-cp',
        join(jars, '*'),
        mainClass,
        ...args,
      ],
      cwd: dir,
      env: { PATH: process.env.PATH },
      logFile,
      stopSignal: 'SIGTERM',
    });

  let port = await writeProperties(options.port, propertiesFile, logDir);
  if (!existsSync(join(logDir, 'meta.properties'))) {
    rmSync(logDir, { recursive: true, force: true });
    const clusterId = randomBytes(16).toString('base64url');
    const format = await run('128m', 'kafka.tools.StorageTool', [
      'format',
      '--standalone',
      // In one argument: a random id may begin with a hyphen.
      `--cluster-id=${clusterId}`,
      '-c',
      propertiesFile,
    ]);
    const { code } = await format.exited;
    if (code !== 0) throw failedStart('The folder for Kafka could not be made', dir, logFile);
  }
  const broker = await startOnFreePorts(logFile, async (attempt) => {
    if (attempt > 1) port = await writeProperties(options.port, propertiesFile, logDir);
    const started = await run('512m', 'kafka.Kafka', [propertiesFile]);
    writeFileSync(pidFile, String(started.pid));
    await readiness(started, port, { dir, logFile, tell: options.onProgress });
    return started;
  });

  const end = (signal: NodeJS.Signals) => endGuarded(broker, signal, 'SIGKILL', 10_000);
  return {
    brokers: `127.0.0.1:${port}`,
    pid: broker.pid,
    port,
    exited: broker.exited,
    logFile,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
  };
}

/** @returns the port for clients */
async function writeProperties(
  asked: number | undefined,
  propertiesFile: string,
  logDir: string,
): Promise<number> {
  const port = await claimPort(asked, 'Kafka', ['stop what listens there', ...useOtherKafka], 1_000);
  writeFileSync(propertiesFile, brokerProperties({ logDir, port, controllerPort: await freePort() }));
  return port;
}

async function refuseSecondBroker(dir: string, pidFile: string): Promise<void> {
  const pid = await serverStillRunning(pidFile, 'java');
  if (pid === undefined) return;
  throw new StartError('KAFKA_UNAVAILABLE', `Another Kafka broker (process ${pid}) is running on ${dir}.`, [
    `stop the local stack that it belongs to, or: kill ${pid}`,
    startBeside,
    ...useOtherKafka,
  ]);
}

async function readiness(
  broker: GuardedProcess,
  port: number,
  { dir, logFile, tell }: { dir: string; logFile: string; tell: ((line: string) => void) | undefined },
): Promise<void> {
  const outcome = await untilStarted({
    name: 'Kafka',
    waitsUntil: `it answers at 127.0.0.1:${port}`,
    isReady: () => answersApiVersions(port),
    hasExited: broker.hasExited,
    progress: () => progressOfProcess(broker.pid, logFile),
    lastWords: () => lastLines(logFile, 1).trim(),
    tell,
  });
  if (outcome.ready) return;
  broker.kill('SIGKILL');
  const problem = `Kafka did not start: ${outcome.reason}`;
  // Where it was only slow, its data is as good as before.
  throw failedStart(problem, dir, logFile, outcome.hasExited ? [ifDataIsOfNoUse(dir)] : [startAgain]);
}

const startAgain = 'start again when the machine has less to do: it goes on with its data';

function ifDataIsOfNoUse(dir: string): string {
  return `if its data is of no use, remove ${dir} and start again (npm run dev -- --fresh does)`;
}

function failedStart(
  problem: string,
  dir: string,
  logFile: string,
  remedies: readonly string[] = [ifDataIsOfNoUse(dir)],
): StartError {
  return new StartError('KAFKA_UNAVAILABLE', `${problem}:\n${lastLines(logFile)}`, [
    `read ${logFile}`,
    ...remedies,
    ...useOtherKafka,
  ]);
}
