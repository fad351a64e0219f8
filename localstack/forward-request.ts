import { type IncomingMessage, type ServerResponse, request as send } from 'node:http';

/** Hands a request on as it came, to the same path of another server, and that one's answer back. @throws when there is none. */
export function forwardRequest(
  { method, url = '/', headers: { host: _, ...headers } }: IncomingMessage,
  body: Buffer,
  response: ServerResponse,
  target: string,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const outgoing = send(new URL(url, target), { method, headers }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.on('error', reject).pipe(response).on('close', resolve);
  });
  outgoing.on('error', (cause) => reject(new Error(`${target} did not answer: ${cause.message}`, { cause })));
  // Whoever asked may not wait any longer.
  response.on('close', () => outgoing.destroy());
  outgoing.end(body);
  return promise;
}
