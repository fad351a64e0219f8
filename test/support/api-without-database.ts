import { createApi } from '../../functions/api/create-api.ts';
import { createApiServices } from '../../functions/api/create-api-services.ts';
import { startApiGateway } from '../../localstack/api-gateway/api-gateway.ts';
import { inProcessFunction, type LambdaHandler } from '../../localstack/in-process-function.ts';
import { createEngineServices } from '../../shared/composition/engine-services.ts';
import { readEnvironment } from '../../shared/config/environment.ts';

/** The API where nobody listens at the database's address. */
export async function startApiWithoutDatabase(
  variables: Readonly<Record<string, string>>,
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const DATABASE_URL = 'postgresql://user:pw@127.0.0.1:1/none';
  const environment = readEnvironment({ ...variables, DATABASE_URL });
  const engine = createEngineServices(environment, 'api');
  const services = createApiServices(engine, environment, { error: () => {} }, { write: () => {} });
  const gateway = await startApiGateway({
    invoker: inProcessFunction({
      functionName: 'api',
      createHandler: () => createApi(services) as unknown as LambdaHandler,
    }),
  });
  return {
    url: gateway.url,
    async close() {
      await gateway.stop();
      await engine.close();
    },
  };
}
