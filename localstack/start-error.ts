export type StartErrorCode =
  | 'PORT_IN_USE'
  | 'DATA_IN_USE'
  | 'POSTGRES_UNAVAILABLE'
  | 'POSTGRES_DATA_UNUSABLE'
  | 'JAVA_MISSING'
  | 'MAVEN_MISSING'
  | 'KAFKA_DOWNLOAD_FAILED'
  | 'KAFKA_UNAVAILABLE'
  | 'FUNCTION_UNAVAILABLE'
  | 'PYTHON_MISSING'
  | 'EMULATOR_UNAVAILABLE'
  | 'DEPLOYMENT_FAILED';

/** A part of the local stack cannot start. The message is for a person: what is wrong, then what to do about it. */
export class StartError extends Error {
  readonly code: StartErrorCode;

  constructor(code: StartErrorCode, problem: string, remedies: readonly string[], cause?: unknown) {
    super([problem, ...remedies.map((remedy) => `  - ${remedy}`)].join('\n'), { cause });
    this.name = 'StartError';
    this.code = code;
  }
}

/** For two stacks of one checkout. */
export const startBeside =
  'or start another one beside it: PORT=8001 npm run dev -- --folder .stepline/second';

export const useOtherPostgres = [
  'or set DATABASE_URL to a PostgreSQL of your own',
  'or use Docker: docker compose -f localstack/compose.yaml up -d postgres, and DATABASE_URL=postgresql://workflow_user:workflow_pass@localhost:5432/workflow_db',
];

export const useOtherKafka = [
  'or set KAFKA_BROKERS to a broker of your own',
  'or use Docker: docker compose -f localstack/compose.yaml up -d kafka, and KAFKA_BROKERS=localhost:9092',
];

export const useOtherEmulator = [
  'or set AWS_ENDPOINT_URL to an emulator of AWS that is running, as LocalStack in Docker; DATABASE_URL and KAFKA_BROKERS to servers that its functions reach',
];
