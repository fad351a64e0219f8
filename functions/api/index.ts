import { createEngineServices } from '../../shared/composition/engine-services.ts';
import { loadEnvironment } from '../../shared/config/environment.ts';
import { createJsonAaaLog, createTextAaaLog } from '../../shared/telemetry/aaa-log.ts';
import { createLogger } from '../../shared/telemetry/logger.ts';
import { createApi } from './create-api.ts';
import { createApiServices } from './create-api-services.ts';

const environment = await loadEnvironment();
const logger = createLogger({ service: 'api', level: environment.logLevel });
const engine = createEngineServices(environment, 'api');
const log = { error: (message: string, fields: object) => logger.error(message, { ...fields }) };
const MODULE = 'stepline_api';
const aaa =
  environment.logFormat === 'text'
    ? createTextAaaLog({
        module: MODULE,
        level: environment.logLevel,
        // Not console.log, before whose lines Lambda writes its own.
        write: (line) => void process.stdout.write(`${line}\n`),
      })
    : createJsonAaaLog(MODULE, logger);
aaa.write({ type: 'SYSTEM', level: 'INFO', community: null, user: null, action: 'start', result: 'SUCCESS' });

/** Every request to the REST API: one proxy resource. */
export const handler = createApi(createApiServices(engine, environment, log, aaa));
