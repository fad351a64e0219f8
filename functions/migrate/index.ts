import { readSecret, writeSecret } from '../../shared/aws/secrets-manager.ts';
import { kafkaOptionsOf } from '../../shared/composition/connections.ts';
import { loadConnections, readMigrateSettings } from '../../shared/config/environment.ts';
import { createTopics, type TopicLayout } from '../../shared/kafka/create-topics.ts';
import { ensureAdminKey } from '../../shared/persistence/admin-key.ts';
import { ensureDatabaseRoles } from '../../shared/persistence/database-roles.ts';
import { migrate } from '../../shared/persistence/migrate.ts';
import { createLogger } from '../../shared/telemetry/logger.ts';
import { ensureAdminKeySecret } from './admin-key-secret.ts';

/** Of the local stack, which has no Secrets Manager. A deployment's trigger sends nothing, and has it in the environment. */
export interface MigrateEvent {
  readonly topics?: TopicLayout;
  /** The first admin's: its SHA-256 in hex, and its first characters. The key itself is never sent. */
  readonly admin_key?: { readonly hash: string; readonly prefix: string };
}

/** Brings the schema, the database's users and the topics up to what the code expects. Throws, and so fails the deployment, when it cannot. */
export async function handler(event: MigrateEvent | null): Promise<{ applied: string[] }> {
  const connections = await loadConnections();
  const settings = readMigrateSettings();
  const { databaseUrl, topics, logLevel } = connections;
  const log = createLogger({ service: 'migrate', level: logLevel });
  const applied = await migrate(databaseUrl);
  if (settings.databaseRoles) await ensureDatabaseRoles(databaseUrl);
  const adminKey = settings.adminKeySecretArn
    ? await ensureAdminKeySecret(settings.adminKeySecretArn, { readSecret, writeSecret })
    : event?.admin_key;
  if (adminKey) await ensureAdminKey(databaseUrl, adminKey);
  await createTopics(kafkaOptionsOf(connections, 'migrate'), topics, event?.topics ?? settings.topics);
  log.info('Schema, users and topics are up to date', { applied });
  return { applied };
}
