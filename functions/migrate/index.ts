import { readEnvironment } from '../../shared/config/environment.ts';
import { createTopics, type TopicLayout } from '../../shared/kafka/create-topics.ts';
import { migrate } from '../../shared/persistence/migrate.ts';
import { createLogger } from '../../shared/telemetry/logger.ts';

export interface MigrateEvent {
  readonly topics: TopicLayout;
}

/** Brings the database's schema and the topics up to what the code expects. Throws, and so fails the deployment, when it cannot. */
export async function handler({ topics: layout }: MigrateEvent): Promise<{ applied: string[] }> {
  const { databaseUrl, kafkaBrokers, topics, logLevel } = readEnvironment();
  const log = createLogger({ service: 'migrate', level: logLevel });
  const applied = await migrate(databaseUrl);
  await createTopics({ brokers: kafkaBrokers, clientId: 'migrate' }, topics, layout);
  log.info('Schema and topics are up to date', { applied });
  return { applied };
}
