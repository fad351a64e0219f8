import { readBody } from '../../localstack/http-body.ts';
import { type RunningServer, startServer } from '../../localstack/http-server.ts';

export interface TestSecrets extends RunningServer {
  /** By the id that functions ask with. */
  readonly values: Map<string, string>;
  /** How often each was read. */
  readonly reads: Map<string, number>;
}

/** The two operations of Secrets Manager that functions ask for. Signatures are not checked. */
export async function startTestSecrets(values: Readonly<Record<string, string>>): Promise<TestSecrets> {
  const kept = new Map(Object.entries(values));
  const reads = new Map<string, number>();
  const server = await startServer({
    port: undefined,
    wantedBy: 'Secrets Manager',
    remedies: [],
    async handle(request, response) {
      const body = await readBody(request, 100_000);
      const { SecretId: id, SecretString: text } = JSON.parse(String(body)) as Record<string, string>;
      const operation = String(request.headers['x-amz-target']).split('.')[1];
      if (id === undefined || !kept.has(id)) {
        response.writeHead(400, { 'content-type': 'application/x-amz-json-1.1' });
        response.end(JSON.stringify({ __type: 'ResourceNotFoundException', message: `No secret ${id}` }));
        return;
      }
      if (operation === 'PutSecretValue') kept.set(id, text ?? '');
      else reads.set(id, (reads.get(id) ?? 0) + 1);
      response.writeHead(200, { 'content-type': 'application/x-amz-json-1.1' });
      response.end(JSON.stringify({ ARN: id, Name: id, SecretString: kept.get(id) }));
    },
  });
  return { ...server, values: kept, reads };
}
