import { InvokeCommand, type LambdaClient } from '@aws-sdk/client-lambda';
import * as z from 'zod';
import { failed, type InvocationResult, type Invoker } from '../invocation.ts';

const functionError = z.object({
  errorType: z.string().default('Unknown'),
  errorMessage: z.string().default('(no message)'),
  trace: z.array(z.string()).default([]),
});

/** A deployed function, by Lambda's Invoke API and the alias that takes traffic. */
export function lambdaInvoker(client: LambdaClient, functionName: string, alias: string): Invoker {
  return {
    functionName,
    async invoke(event): Promise<InvocationResult> {
      try {
        const answer = await client.send(
          new InvokeCommand({ FunctionName: functionName, Qualifier: alias, Payload: JSON.stringify(event) }),
        );
        const payload: unknown = JSON.parse(answer.Payload?.transformToString() || 'null');
        if (answer.FunctionError === undefined) return { ok: true, payload };
        return { ok: false, error: functionError.parse(payload) };
      } catch (error) {
        // The API refused, or did not answer: a failed invocation to the mapping, which tries again.
        const { name, message } = error instanceof Error ? error : new Error(String(error));
        return failed(name, message);
      }
    },
  };
}
