import type { LambdaClient } from '@aws-sdk/client-lambda';
import type { HandedTasks } from './ports.ts';

/** Asynchronous invocations of this function. The SDK is loaded at the first one: most environments never need it. */
export function createSelfInvoker(functionName: string): (handed: HandedTasks) => Promise<void> {
  let client: Promise<LambdaClient> | undefined;
  return async (handed) => {
    const { InvokeCommand, LambdaClient } = await import('@aws-sdk/client-lambda');
    client ??= Promise.resolve(new LambdaClient({ maxAttempts: 3 }));
    await (await client).send(
      new InvokeCommand({
        FunctionName: functionName,
        InvocationType: 'Event',
        Payload: Buffer.from(JSON.stringify(handed)),
      }),
    );
  };
}
