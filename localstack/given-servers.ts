import pg from 'pg';
import { createProducer } from '../shared/kafka/producer.ts';
import { checkServerVersion, DatabaseTooOld } from '../shared/persistence/least-postgres.ts';
import { StartError } from './start-error.ts';

/*
 * Servers that are named by a variable, and so are somebody's: before anything is built on them, whether they answer. Addresses
 * are said without the user and the password.
 */
const TIMEOUT_MS = 5_000;

const remediesOfAge = [
  'name a newer one in DATABASE_URL',
  'or unset it: the stack then starts a PostgreSQL of its own',
];

/** @throws StartError when no PostgreSQL answers at the URL, or one that is too old. */
export async function checkGivenDatabase(databaseUrl: string): Promise<void> {
  const remedies = [
    'start it, or correct DATABASE_URL: postgresql://user:password@host:5432/database',
    'or unset it: the stack then starts a PostgreSQL of its own',
  ];
  if (!/^postgres(ql)?:\/\//.test(databaseUrl) || !URL.canParse(databaseUrl))
    throw new StartError('POSTGRES_UNAVAILABLE', 'DATABASE_URL is not the URL of a PostgreSQL.', remedies);
  const client = new pg.Client({ connectionString: databaseUrl, connectionTimeoutMillis: TIMEOUT_MS });
  client.on('error', () => {});
  try {
    await client.connect();
    await checkServerVersion(client);
  } catch (cause) {
    const { host, pathname } = new URL(databaseUrl);
    const problem = `DATABASE_URL cannot be used: ${host}${pathname}: ${reasonOf(cause)}.`;
    const isTooOld = cause instanceof DatabaseTooOld;
    throw new StartError('POSTGRES_UNAVAILABLE', problem, isTooOld ? remediesOfAge : remedies, cause);
  } finally {
    await client.end().catch(() => {});
  }
}

/** @throws StartError when no broker answers at any of the addresses. */
export async function checkGivenBrokers(kafkaBrokers: string): Promise<void> {
  const brokers = kafkaBrokers.split(',').map((broker) => broker.trim());
  const producer = createProducer({ brokers, clientId: 'local-stack' });
  try {
    await producer.check(TIMEOUT_MS);
  } catch (cause) {
    throw new StartError(
      'KAFKA_UNAVAILABLE',
      `No Kafka broker answers at KAFKA_BROKERS=${kafkaBrokers}: ${reasonOf(cause)}.`,
      [
        'start it, or correct KAFKA_BROKERS: host:port, several with commas',
        'or unset it: the stack then starts a broker of its own',
      ],
      cause,
    );
  } finally {
    await producer.close();
  }
}

/** Several addresses of one name fail as an AggregateError without a message. */
function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return cause.message || ('code' in cause ? String(cause.code) : cause.name);
}
