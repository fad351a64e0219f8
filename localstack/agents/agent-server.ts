import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Webhook } from 'standardwebhooks';
import { isJsonObject, type Json } from '../../shared/engine/json.ts';
import { demoAgents } from './demo-agents.ts';

export interface AgentServerOptions {
  /** What the agents were registered with: calls that it did not sign are refused. */
  readonly secret?: string | undefined;
}

const PREFIX = '/agents/';
const MAX_BODY_BYTES = 1024 * 1024;

interface Answer {
  readonly status: number;
  readonly value: Json;
}

/** `POST /agents/<name>` as Stepline calls it; `GET /health`. Plain node:http: it also serves benchmarks. */
export function createAgentServer({ secret }: AgentServerOptions = {}): Server {
  const webhook = secret === undefined ? null : new Webhook(secret);
  // Longer than Stepline keeps an idle connection, so that it is never closed under a call.
  return createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    if (request.method === 'GET' && request.url === '/health') {
      send(response, { status: 200, value: { status: 'healthy' } });
      return;
    }
    readBody(request, (body) => send(response, answerTo(request, body, webhook)));
  });
}

function answerTo(
  { method, url = '', headers }: IncomingMessage,
  body: string | null,
  webhook: Webhook | null,
): Answer {
  const name = url.startsWith(PREFIX) ? url.slice(PREFIX.length) : '';
  const agent = Object.hasOwn(demoAgents, name) ? demoAgents[name] : undefined;
  if (agent === undefined) return refusal(404, 'UNKNOWN_AGENT', `There is no ${url} here`);
  if (method !== 'POST') return refusal(405, 'METHOD_NOT_ALLOWED', 'expected POST');
  if (body === null) return refusal(413, 'TOO_LARGE', `expected at most ${MAX_BODY_BYTES} bytes`);
  try {
    webhook?.verify(body, headers as Record<string, string>, { jsonParse: false });
  } catch (error) {
    return refusal(401, 'BAD_SIGNATURE', (error as Error).message);
  }
  let call: unknown;
  try {
    call = JSON.parse(body);
  } catch {
    return refusal(400, 'BAD_REQUEST', 'expected JSON');
  }
  if (!isJsonObject(call)) return refusal(400, 'BAD_REQUEST', 'expected an object with input_data');
  return { status: 200, value: agent(call.input_data ?? null) };
}

function refusal(status: number, code: string, message: string): Answer {
  return { status, value: { code, message } };
}

function readBody(request: IncomingMessage, done: (body: string | null) => void): void {
  const chunks: Buffer[] = [];
  let length = 0;
  request.on('data', (chunk: Buffer) => {
    length += chunk.length;
    if (length <= MAX_BODY_BYTES) chunks.push(chunk);
  });
  request.on('end', () => done(length > MAX_BODY_BYTES ? null : Buffer.concat(chunks).toString()));
}

function send(response: ServerResponse, { status, value }: Answer): void {
  const body = Buffer.from(JSON.stringify(value));
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': body.length }).end(body);
}
