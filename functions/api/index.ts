import { createEngineServices } from '../../shared/composition/engine-services.ts';
import { readEnvironment } from '../../shared/config/environment.ts';
import { createLogger } from '../../shared/telemetry/logger.ts';
import { createApiServices } from './api-services.ts';
import { createApi } from './create-api.ts';

const environment = readEnvironment();
const logger = createLogger({ service: 'api', level: environment.logLevel });
const engine = createEngineServices(environment, 'api');
const log = { error: (message: string, fields: object) => logger.error(message, { ...fields }) };

/** Every request to the REST API: one proxy resource. */
export const handler = createApi(createApiServices(engine, environment, log));
