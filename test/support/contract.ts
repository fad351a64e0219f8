import { expect } from 'vitest';
import type {
  Response as Documented,
  OpenApiDocument,
  OperationObject,
  Reference,
} from '../../functions/api/documents/openapi-types.ts';
import { isPlainPath } from '../../functions/api/http/route.ts';
import type { JsonSchema } from '../../shared/documents/json-schema.ts';
import { schemaValidator } from './schema-validator.ts';

export interface ContractRequest {
  readonly params?: Readonly<Record<string, string>>;
  /** With its question mark. */
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON; text is sent as it is. */
  readonly body?: unknown;
  /** Instead of the operation's. */
  readonly method?: string;
}

export interface ContractAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** An API as its OpenAPI document describes it: each answer is held to what the document says of it. */
export interface Contract {
  readonly operations: readonly ContractOperation[];
  /**
   * @param tries how often it may be sent until it is answered with the status; once by default
   * @throws where the answer is not as documented, or has another status
   */
  call(
    operationId: string,
    request: ContractRequest,
    status: number,
    tries?: number,
  ): Promise<ContractAnswer>;
  /** A method that the operation's path lacks. */
  callOtherMethod(operationId: string, request: ContractRequest): Promise<ContractAnswer>;
  /** The statuses that each operation answered with. */
  readonly seen: ReadonlyMap<string, ReadonlySet<number>>;
}

export interface ContractOperation {
  readonly path: string;
  readonly method: string;
  readonly operation: OperationObject;
}

/** What every answer may carry, documented or not: of HTTP, of its server and against misuse. */
const ORDINARY = new Set([
  'cache-control',
  'connection',
  'content-length',
  'content-security-policy',
  'content-type',
  'date',
  'keep-alive',
  'referrer-policy',
  'strict-transport-security',
  'transfer-encoding',
  'vary',
  'x-content-type-options',
  'x-amzn-requestid',
  'x-frame-options',
]);

/** Documented, and there only sometimes: a run that goes on, a last page, one of two reasons. */
const OPTIONAL = new Set([
  'ETag',
  'Link',
  'Accept',
  'Accept-Encoding',
  // One name or the other.
  'WWW-Authenticate',
  'x-amzn-Remapped-WWW-Authenticate',
]);

export function openContract(document: OpenApiDocument, url: string): Contract {
  const validatorOf = schemaValidator(document);
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  );
  const seen = new Map<string, Set<number>>();
  const find = (operationId: string) => {
    const found = operations.find(({ operation }) => operation.operationId === operationId);
    if (!found) throw new Error(`No operation ${operationId}`);
    return found;
  };

  async function send(
    { path, method }: ContractOperation,
    request: ContractRequest,
  ): Promise<ContractAnswer> {
    const { params = {}, query = '', body } = request;
    const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(params[name] ?? ''));
    const response = await fetch(`${url}${filled}${query}`, {
      method: request.method ?? method,
      headers: { ...(body !== undefined && { 'Content-Type': 'application/json' }), ...request.headers },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    return { status: response.status, headers: response.headers, text: await response.text() };
  }

  function hold(
    { status, headers, text }: ContractAnswer,
    given: Documented | Reference,
    isHead: boolean,
  ): void {
    const documented = '$ref' in given ? document.components.responses[lastOf(given.$ref)]! : given;
    const names = Object.keys(documented.headers);
    const undocumented = [...headers.keys()].filter(
      (name) => !ORDINARY.has(name) && !names.some((known) => known.toLowerCase() === name),
    );
    expect(undocumented).toEqual([]);
    for (const name of names) {
      const value = headers.get(name);
      if (value === null) expect([name, OPTIONAL.has(name)]).toEqual([name, true]);
      else expect(errorsOf(document.components.headers[name]!.schema, value)).toEqual(null);
    }
    if (documented.content === undefined || isHead) {
      expect(text).toBe('');
      return;
    }
    const type = headers.get('content-type')?.split(';')[0] ?? '';
    expect(Object.keys(documented.content)).toContain(type);
    const body = type.endsWith('json') ? JSON.parse(text) : text;
    expect(errorsOf(documented.content[type]!.schema, body), `${status} ${text}`).toEqual(null);
  }

  function errorsOf(schema: JsonSchema, value: unknown) {
    const validate = validatorOf(schema);
    validate(value);
    return validate.errors ?? null;
  }

  return {
    operations,
    seen,
    async call(operationId, request, status, tries = 1) {
      const found = find(operationId);
      let answer = await send(found, request);
      for (let left = tries - 1; left > 0 && answer.status !== status; left--) {
        answer = await send(found, request);
      }
      expect(answer.status, answer.text).toBe(status);
      const documented = found.operation.responses[status];
      if (!documented) throw new Error(`${operationId} answered ${status}, which is not documented`);
      hold(answer, documented, request.method === 'HEAD');
      seen.set(operationId, (seen.get(operationId) ?? new Set()).add(status));
      return answer;
    },
    async callOtherMethod(operationId, request) {
      const found = find(operationId);
      const answer = await send(found, { ...request, method: 'PATCH' });
      expect(answer.status).toBe(405);
      const isPlain = isPlainPath(found.path);
      hold(
        answer,
        document.components.responses[isPlain ? 'PlainMethodNotAllowed' : 'MethodNotAllowed']!,
        false,
      );
      const methods = Object.keys(document.paths[found.path]!).map((method) => method.toUpperCase());
      const allowed = [...methods, 'OPTIONS', ...(methods.includes('GET') ? ['HEAD'] : [])].sort().join(', ');
      expect(answer.headers.get('allow')).toBe(allowed);
      return answer;
    },
  };
}

function lastOf(reference: string): string {
  return reference.split('/').at(-1) ?? '';
}
