import { Logger } from '@aws-lambda-powertools/logger';

export type { Logger };

export interface LoggerOptions {
  readonly service: string;
  readonly level: string;
}

export function createLogger({ service, level }: LoggerOptions): Logger {
  return new Logger({ serviceName: service, logLevel: level as 'INFO' });
}
