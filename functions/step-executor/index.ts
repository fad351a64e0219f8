import { loadEnvironment } from '../../shared/config/environment.ts';
import { createLogger } from '../../shared/telemetry/logger.ts';
import { openStepExecutor } from './open-step-executor.ts';

const environment = await loadEnvironment();
const log = createLogger({ service: 'step-executor', level: environment.logLevel });

export const { handler } = openStepExecutor(environment, { log });
