import { createMskToken, createRdsPassword } from '../aws/iam-tokens.ts';
import type { Connections, KafkaConnection } from '../config/environment.ts';
import type { Topics } from '../config/topics.ts';
import type { KafkaOptions } from '../kafka/client.ts';
import { createProducer, type RecordProducer } from '../kafka/producer.ts';
import { type Database, openDatabase } from '../persistence/database.ts';

/** As whom a function comes to the database and to Kafka is the deployment's to say. Connects at the first use. */
export function connectDatabase(connections: Connections): Database {
  const { databaseUrl: url, databaseAuth, awsRegion } = connections;
  const password = databaseAuth === 'iam' ? createRdsPassword(url, awsRegion) : undefined;
  return openDatabase({ url, password });
}

export function connectProducer(connections: Connections, topics: Topics, clientId: string): RecordProducer {
  return createProducer(kafkaOptionsOf(connections, clientId), Object.values(topics));
}

export function kafkaOptionsOf(
  {
    kafkaBrokers: brokers,
    kafkaAuth,
    awsRegion,
  }: Pick<KafkaConnection, 'kafkaBrokers' | 'kafkaAuth' | 'awsRegion'>,
  clientId: string,
): KafkaOptions {
  return { brokers, clientId, token: kafkaAuth === 'iam' ? createMskToken(awsRegion) : undefined };
}
