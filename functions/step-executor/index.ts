import { createEngineServices } from '../../shared/composition/engine-services.ts';
import { readEnvironment } from '../../shared/config/environment.ts';
import { createLogger } from '../../shared/telemetry/logger.ts';
import { createStepExecutor } from './step-executor.ts';

const environment = readEnvironment();
const log = createLogger({ service: 'step-executor', level: environment.logLevel });
const { decideBatch, producer, tokens, clock, countDeadLetters } = createEngineServices(
  environment,
  'step-executor',
);

export const handler = createStepExecutor({
  decideBatch,
  producer,
  verifyResultToken: tokens.verifyResultToken,
  deadLetterTopic: environment.topics.deadLetter,
  countDeadLetters,
  clock,
  log,
});
