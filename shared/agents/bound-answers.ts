import type { LambdaClient } from '@aws-sdk/client-lambda';

/** An answer of Lambda can be 6 MB, and a hundred come at once: what lies beyond `maxBytes` of one is not read. */
export function boundAnswers(lambda: LambdaClient, maxBytes: number): void {
  lambda.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      const { response } = result;
      if (isStreamed(response)) Object.assign(response, { body: await readUpTo(maxBytes, response.body) });
      return result;
    },
    { name: 'boundAnswers', step: 'deserialize', priority: 'low' },
  );
}

function isStreamed(response: unknown): response is { readonly body: AsyncIterable<Buffer> } {
  if (typeof response !== 'object' || response === null || !('body' in response)) return false;
  const { body } = response;
  return typeof body === 'object' && body !== null && Symbol.asyncIterator in body;
}

async function readUpTo(maxBytes: number, stream: AsyncIterable<Buffer>): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream) {
    chunks.push(chunk);
    length += chunk.length;
    // Leaving the loop closes the connection.
    if (length >= maxBytes) break;
  }
  return Buffer.concat(chunks).subarray(0, maxBytes);
}
