import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { ceaseWatching, endWithLauncher } from './guardian.ts';
import { StartError, useOtherKafka } from './start-error.ts';

const pom = fileURLToPath(new URL('./kafka/pom.xml', import.meta.url));
const cache = fileURLToPath(new URL('../.stepline/kafka-lib', import.meta.url));

/** The folder with the broker's jars (about 44 MiB), downloaded by Maven once per content of the pom. */
export async function resolveKafkaJars(onProgress: (line: string) => void): Promise<string> {
  const folder = join(cache, createHash('sha256').update(readFileSync(pom)).digest('hex').slice(0, 12));
  if (existsSync(folder)) return folder;
  mkdirSync(cache, { recursive: true });
  // Complete or absent: two starts at once download twice, and the one that comes second takes what the first has put there.
  const unfinished = `${folder}.${process.pid}`;
  onProgress('Apache Kafka: resolving about 44 MiB of jars with Maven, once');
  try {
    await copyDependencies(unfinished, onProgress);
    renameSync(unfinished, folder);
  } catch (error) {
    if (!existsSync(folder)) throw error;
  } finally {
    rmSync(unfinished, { recursive: true, force: true });
  }
  return folder;
}

async function copyDependencies(outputFolder: string, onProgress: (line: string) => void): Promise<void> {
  const goal = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';
  const parameters = ['-DincludeScope=runtime', `-DoutputDirectory=${outputFolder}`];
  const maven = spawn('mvn', ['-B', '-f', pom, goal, ...parameters], { stdio: ['ignore', 'pipe', 'pipe'] });
  if (maven.pid !== undefined) endWithLauncher(maven.pid);
  const complaints: string[] = [];
  let received = 0;
  let reported = 0;
  createInterface({ input: maven.stdout }).on('line', (line) => {
    if (line.includes('[ERROR]')) complaints.push(line);
    received += megabytesDownloaded(line);
    if (received < reported + 5) return;
    reported = received;
    onProgress(`Apache Kafka: downloaded ${received.toFixed(0)} MB`);
  });
  createInterface({ input: maven.stderr }).on('line', (line) => complaints.push(line));

  const failure = await new Promise<unknown>((resolve) => {
    maven.once('error', resolve);
    maven.once('close', (code) => resolve(code === 0 ? undefined : code));
  });
  if (maven.pid !== undefined) ceaseWatching(maven.pid);
  if (failure === undefined) return;
  if (failure instanceof Error) {
    throw new StartError(
      'MAVEN_MISSING',
      'Maven (mvn) is needed once, to download Apache Kafka, and cannot be run.',
      ['install it: apt-get install maven, brew install maven', ...useOtherKafka],
      failure,
    );
  }
  throw new StartError(
    'KAFKA_DOWNLOAD_FAILED',
    `Maven could not download Apache Kafka:\n${complaints
      .slice(0, 6)
      .map((line) => `    ${line}`)
      .join('\n')}`,
    ['check the network, or the proxy in ~/.m2/settings.xml, and start again', ...useOtherKafka],
  );
}

/** Maven says `Downloaded from central: https://…/kafka_2.13-4.3.1.jar (5.4 MB at 9.1 MB/s)`. */
export function megabytesDownloaded(line: string): number {
  const [, amount, unit] = /Downloaded from .* \(([\d.]+) (B|kB|MB) at /.exec(line) ?? [];
  const perUnit = { B: 1e-6, kB: 1e-3, MB: 1 }[unit ?? ''] ?? 0;
  return Number(amount ?? 0) * perUnit;
}
