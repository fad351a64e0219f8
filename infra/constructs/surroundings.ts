import type { EventSource } from '../../shared/config/event-sources.ts';
import type { Topics } from '../../shared/config/topics.ts';
import type { FunctionName } from '../config/function-profiles.ts';
import type { Database } from './database.ts';
import type { KafkaAccess } from './kafka-access.ts';

/** What the functions stand on, by name. */
export interface Surroundings {
  readonly topics: Topics;
  readonly eventSources: readonly EventSource[];
  /** Null: Kafka takes whoever comes. */
  readonly kafkaAccess: KafkaAccess | null;
  /** Null: the address has a password. */
  readonly database: Database | null;
  readonly secrets: {
    readonly secretKeyArn: string;
    readonly adminKeyArn: string;
    readonly jwtSecretArn: string | undefined;
  };
  readonly redriveGroupId: string;
  readonly functionNameOf: (name: FunctionName) => string;
  readonly agentFunctionArns: readonly string[] | undefined;
}
