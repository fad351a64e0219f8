import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { functionProfiles } from '../../infra/config/function-profiles.ts';
import { bundleBytes, bundleFunction } from '../../infra/constructs/bundle.ts';
import { topicsFor } from '../../shared/config/topics.ts';
import { createTopics } from '../../shared/kafka/create-topics.ts';
import { migrate } from '../../shared/persistence/migrate.ts';
import { apiEvent } from '../support/api-event.ts';
import { startTestSecrets } from '../support/secrets-manager.ts';
import type { BenchServers } from './bench-stack.ts';
import { median } from './latency.ts';

export interface ColdStart {
  readonly functionName: string;
  /** What the bundle's modules are together; most of it is loaded only when it is needed. */
  readonly bundleKib: number;
  /** Of Node itself, until its first line, p50. */
  readonly startMs: number;
  /** Of the bundle: its modules, and its secrets from Secrets Manager, p50. */
  readonly loadMs: number;
  /** What of that was processor time, which depends less on what else the machine does, p50. */
  readonly loadCpuMs: number;
  /** Of the first invocation, which connects to the database and to Kafka, p50. Null where its length is not the function's to say. */
  readonly answerMs: number | null;
}

type Times = Record<'startMs' | 'loadMs' | 'loadCpuMs' | 'answerMs', number>;

const runner = fileURLToPath(new URL('./cold-start-process.mjs', import.meta.url));
const STARTS = 5;
const SECRET_ARN = 'arn:aws:secretsmanager:us-east-1:000000000000:secret:cold';

/**
 * What the first caller of a new execution environment waits for, with the bundles as they are deployed but for IAM: a process
 * each, one after another. Those that nobody waits for, `migrate` and `redrive`, are left out.
 */
export async function measureColdStarts({ databaseUrl, kafkaBrokers }: BenchServers): Promise<ColdStart[]> {
  const prefix = `cold-${randomBytes(4).toString('hex')}.`;
  const topics = topicsFor({ prefix, executionTopic: 'executions', cancellationTopic: 'cancellations' });
  const kafka = { brokers: kafkaBrokers.split(','), clientId: 'cold-starts' };
  await migrate(databaseUrl);
  await createTopics(kafka, [topics.deadLetter], { partitions: 1, replicationFactor: 1 });
  // It becomes a dead letter, for which every consumer needs Kafka and the database.
  const records = unreadableRecord(topics.httpTasks);
  const events = {
    api: apiEvent({ path: '/health' }),
    'step-executor': records,
    'http-bridge': records,
    'lambda-bridge': records,
    // An invocation lasts a minute.
    timekeeper: undefined,
  } as const;
  const secrets = await startTestSecrets({ [SECRET_ARN]: randomBytes(32).toString('base64') });
  const env = {
    PATH: process.env.PATH,
    NODE_DISABLE_COMPILE_CACHE: '1',
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'local',
    AWS_SECRET_ACCESS_KEY: 'local',
    AWS_ENDPOINT_URL_SECRETS_MANAGER: secrets.url,
    DATABASE_URL: databaseUrl,
    KAFKA_BROKERS: kafkaBrokers,
    KAFKA_TOPIC_PREFIX: prefix,
    LOG_LEVEL: 'SILENT',
  };
  const measured: ColdStart[] = [];
  try {
    for (const functionName of Object.keys(events) as (keyof typeof events)[]) {
      const needsSecret = functionProfiles[functionName].needs.includes('secretKey');
      const own = needsSecret ? { ...env, STEPLINE_SECRET_KEY_ARN: SECRET_ARN } : env;
      const bundle = bundleFunction(functionName);
      const times: Times[] = [];
      for (let i = 0; i < STARTS; i++) {
        times.push(await startOnce(join(bundle, 'index.mjs'), events[functionName], own));
      }
      measured.push({
        functionName,
        bundleKib: bundleBytes(bundle) / 1024,
        startMs: median(times.map(({ startMs }) => startMs)),
        loadMs: median(times.map(({ loadMs }) => loadMs)),
        loadCpuMs: median(times.map(({ loadCpuMs }) => loadCpuMs)),
        answerMs: events[functionName] === undefined ? null : median(times.map(({ answerMs }) => answerMs)),
      });
    }
  } finally {
    await secrets.stop();
  }
  return measured;
}

async function startOnce(entry: string, event: object | undefined, env: NodeJS.ProcessEnv): Promise<Times> {
  const args = event === undefined ? [entry] : [entry, JSON.stringify(event)];
  const child = fork(runner, args, {
    env,
    // Not the bench's own: kafkajs sets timers in the past.
    execArgv: ['--disable-warning=TimeoutNegativeWarning'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  let times: Times | undefined;
  child.once('message', (message: Times) => {
    times = message;
  });
  const [code, signal] = await once(child, 'exit');
  if (times === undefined) throw new Error(`The cold start of ${entry} ended with ${signal ?? code}`);
  return times;
}

function unreadableRecord(topic: string): object {
  const value = Buffer.from('not JSON').toString('base64');
  const record = {
    topic,
    partition: 0,
    offset: 0,
    timestamp: 0,
    timestampType: 'CREATE_TIME',
    value,
    headers: [],
  };
  return { eventSource: 'aws:kafka', records: { [`${topic}-0`]: [record] } };
}
