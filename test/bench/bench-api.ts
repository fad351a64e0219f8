import type { APIGatewayProxyResult } from 'aws-lambda';
import { createApi } from '../../functions/api/create-api.ts';
import { createApiServices } from '../../functions/api/create-api-services.ts';
import { inProcessFunction, type LambdaHandler } from '../../localstack/in-process-function.ts';
import { createEngineServices } from '../../shared/composition/engine-services.ts';
import type { Environment } from '../../shared/config/environment.ts';
import type { JsonObject } from '../../shared/engine/json.ts';
import { apiEvent } from '../support/api-event.ts';

export interface BenchApi {
  /** From the request to its 202. @returns the run's id */
  execute(input: JsonObject): Promise<string>;
  close(): Promise<void>;
}

/** An environment serves one request at a time; who comes when all do waits. */
const MAX_ENVIRONMENTS = 8;

/** The API's handler, called for one workflow. */
export function openBenchApi(environment: Environment, workflowId: string, apiKey: string): BenchApi {
  const log = { error: (message: string, fields: object) => console.error(message, fields) };
  const closers: (() => Promise<unknown>)[] = [];
  const api = inProcessFunction({
    functionName: 'api',
    maxConcurrency: MAX_ENVIRONMENTS,
    createHandler: () => {
      const services = createEngineServices(environment, 'api');
      closers.push(services.close);
      return createApi(
        createApiServices(services, environment, log, { write: () => {} }),
      ) as unknown as LambdaHandler;
    },
  });
  const request = {
    method: 'POST',
    path: `/api/v1/workflows/${workflowId}/execute`,
    headers: { 'X-API-Key': apiKey },
  };
  return {
    async execute(input) {
      const result = await api.invoke(apiEvent({ ...request, body: { input_data: input } }));
      if (!result.ok) throw new Error(`Execute failed: ${result.error.errorMessage}`);
      const { statusCode, body } = result.payload as APIGatewayProxyResult;
      if (statusCode !== 202) throw new Error(`Execute answered ${statusCode}: ${body}`);
      return JSON.parse(body).run_id;
    },
    async close() {
      await Promise.all(closers.map((close) => close()));
    },
  };
}
