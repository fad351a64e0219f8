import { readEnvironment } from '../../shared/config/environment.ts';
import { createTopics, type TopicLayout } from '../../shared/kafka/create-topics.ts';
import { ensureAdminKey } from '../../shared/persistence/admin-key.ts';
import { migrate } from '../../shared/persistence/migrate.ts';
import { createLogger } from '../../shared/telemetry/logger.ts';

export interface MigrateEvent {
  readonly topics: TopicLayout;
  /** The first admin's: its SHA-256 in hex, and its first characters. The key itself is never sent. */
  readonly admin_key?: { readonly hash: string; readonly prefix: string };
}

/** Brings the schema and the topics up to what the code expects. Throws, and so fails the deployment, when it cannot. */
export async function handler({ topics: layout, admin_key }: MigrateEvent): Promise<{ applied: string[] }> {
  const { databaseUrl, kafkaBrokers, topics, logLevel } = readEnvironment();
  const log = createLogger({ service: 'migrate', level: logLevel });
  const applied = await migrate(databaseUrl);
  if (admin_key) await ensureAdminKey(databaseUrl, admin_key);
  await createTopics({ brokers: kafkaBrokers, clientId: 'migrate' }, topics, layout);
  log.info('Schema and topics are up to date', { applied });
  return { applied };
}
