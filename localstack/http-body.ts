import type { IncomingMessage } from 'node:http';

/** The whole body, or `too-large` as soon as it is known to be so; what is left of it is then read and thrown away. */
export async function readBody(request: IncomingMessage, limit: number): Promise<Buffer | 'too-large'> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= limit) chunks.push(chunk);
    else chunks.length = 0;
  }
  return size > limit ? 'too-large' : Buffer.concat(chunks);
}
