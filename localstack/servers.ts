import { join } from 'node:path';
import { checkGivenBrokers, checkGivenDatabase } from './given-servers.ts';
import { startKafka } from './kafka.ts';
import { startPostgres } from './postgres.ts';

export interface ServersOptions {
  /** Where their data stays; removing it is a fresh start. */
  dataDir: string;
  /** Of a database that is there already, instead of a PostgreSQL of our own. */
  databaseUrl?: string | undefined;
  /** Of a broker that is there already, instead of one of our own. */
  kafkaBrokers?: string | undefined;
  onProgress?: (line: string) => void;
  /** Told of a server that was started here and has ended without being asked to. */
  onLost?: (line: string) => void;
}

export interface RunningServers {
  databaseUrl: string;
  kafkaBrokers: string;
  /** Only of those started here. */
  pids: Record<string, number>;
  stop(): Promise<void>;
}

interface Started {
  address: string;
  pid?: number;
  stop?(): Promise<void>;
}

/** PostgreSQL and Kafka, started side by side. If one cannot start, the other does not stay. */
export async function startServers(options: ServersOptions): Promise<RunningServers> {
  let isEnding = false;
  const watch = (name: string, exited: Promise<unknown>, logFile: string) =>
    void exited.then(() => {
      if (isEnding) return;
      const remedy = `its log is ${logFile}; the next start finds its data`;
      options.onLost?.(`${name} has ended by itself: ${remedy}`);
    });
  const starts = await Promise.allSettled([database(options, watch), broker(options, watch)]);
  const started = starts.flatMap((start) => (start.status === 'fulfilled' ? [start.value] : []));
  const stop = async () => {
    isEnding = true;
    await Promise.all(started.map((server) => server.stop?.()));
  };
  const [postgres, kafka] = starts;
  if (postgres.status === 'rejected' || kafka.status === 'rejected') {
    await stop();
    throw postgres.status === 'rejected' ? postgres.reason : (kafka as PromiseRejectedResult).reason;
  }
  return {
    databaseUrl: postgres.value.address,
    kafkaBrokers: kafka.value.address,
    pids: {
      ...(postgres.value.pid && { postgres: postgres.value.pid }),
      ...(kafka.value.pid && { kafka: kafka.value.pid }),
    },
    stop,
  };
}

type Watch = (name: string, exited: Promise<unknown>, logFile: string) => void;

async function database(
  { databaseUrl, dataDir, onProgress }: ServersOptions,
  watch: Watch,
): Promise<Started> {
  if (databaseUrl) {
    await checkGivenDatabase(databaseUrl);
    return { address: databaseUrl };
  }
  const { url, pid, stop, exited, logFile } = await startPostgres({
    dataDir: join(dataDir, 'postgres'),
    ...(onProgress && { onProgress }),
  });
  watch('PostgreSQL', exited, logFile);
  return { address: url, pid, stop };
}

async function broker({ kafkaBrokers, dataDir, onProgress }: ServersOptions, watch: Watch): Promise<Started> {
  if (kafkaBrokers) {
    await checkGivenBrokers(kafkaBrokers);
    return { address: kafkaBrokers };
  }
  const { brokers, pid, stop, exited, logFile } = await startKafka({
    dir: join(dataDir, 'kafka'),
    ...(onProgress && { onProgress }),
  });
  watch('Kafka', exited, logFile);
  return { address: brokers, pid, stop };
}
