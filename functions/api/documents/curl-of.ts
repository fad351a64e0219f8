import { exampleOf } from './example-of.ts';
import type { OpenApiDocument, OperationObject } from './openapi-types.ts';

/** One line of a shell: path parameters stay as `{name}`, and the key is `$KEY`. */
export function curlOf(
  { path, method, operation }: { path: string; method: string; operation: OperationObject },
  document: OpenApiDocument,
): string {
  const { parameters, requestBody, security } = operation;
  const query = parameters.flatMap((one) => {
    if (!('in' in one) || one.in !== 'query' || !one.required) return [];
    return [`${one.name}=${encodeURIComponent(String(exampleOf(one.schema, document.components.schemas)))}`];
  });
  const url = `${document.servers[0]?.url ?? ''}${path}${query.length === 0 ? '' : `?${query.join('&')}`}`;
  const body =
    requestBody && Object.values(requestBody.content['application/json']?.examples ?? {})[0]?.value;
  return [
    'curl -s',
    ...(method === 'GET' || (method === 'POST' && body !== undefined) ? [] : [`-X ${method}`]),
    `'${url}'`,
    ...(needsCredentials(security) ? ['-H "X-API-Key: $KEY"'] : []),
    ...(body === undefined
      ? []
      : ["-H 'Content-Type: application/json'", `-d '${JSON.stringify(body).replaceAll("'", "'\\''")}'`]),
  ].join(' ');
}

/** An empty alternative lets everybody in. */
function needsCredentials(security: OperationObject['security']): boolean {
  return security.length > 0 && security.every((schemes) => Object.keys(schemes).length > 0);
}
