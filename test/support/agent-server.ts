import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Json } from '../../shared/engine/json.ts';

/** A call as an agent sees it. */
export interface SeenCall {
  /** The last part of the path. */
  readonly agent: string;
  readonly headers: IncomingHttpHeaders;
  readonly idempotencyKey: string;
  /** How many calls with that key came, this one included. */
  readonly count: number;
  readonly body: {
    readonly run_id: string;
    readonly step_execution_id: string;
    readonly step_id: string;
    readonly attempt: number;
    readonly input_data: Json;
    readonly callback_url: string;
  };
}

export interface AgentAnswer {
  /** 200 by default. */
  readonly status?: number;
  /** Sent as JSON; text where it is `{ raw }`. */
  readonly body?: Json | { readonly raw: string };
  readonly headers?: Readonly<Record<string, string>>;
  readonly delayMs?: number;
  /** The connection is broken off instead of answered. */
  readonly breakOff?: boolean;
  /** POSTed to the `callback_url` (with `suffix`: `/fail`, `/heartbeat`) so long after the answer, which is then a 202. */
  readonly callBack?: { readonly afterMs: number; readonly body: Json; readonly suffix?: string };
}

export type AgentBehaviour = (call: SeenCall) => AgentAnswer | Promise<AgentAnswer>;

export interface TestAgentServer {
  /** `http://127.0.0.1:<port>/agents/<name>` */
  url(agent: string): string;
  /** Every call that came, oldest first. */
  readonly calls: readonly SeenCall[];
  callsOf(agent: string): SeenCall[];
  /** What an agent does from now on; without one it answers its input. */
  on(agent: string, behaviour: AgentBehaviour): void;
  close(): Promise<void>;
}

/** HTTP agents that do what a test says, on a real socket. */
export async function startTestAgents(): Promise<TestAgentServer> {
  const calls: SeenCall[] = [];
  const behaviours = new Map<string, AgentBehaviour>();
  const counts = new Map<string, number>();
  const server = createServer({ keepAliveTimeout: 60_000 }, async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = JSON.parse(Buffer.concat(chunks).toString()) as SeenCall['body'];
    const agent = request.url!.split('/').at(-1)!;
    const idempotencyKey = String(request.headers['idempotency-key']);
    const count = (counts.get(idempotencyKey) ?? 0) + 1;
    counts.set(idempotencyKey, count);
    const call: SeenCall = { agent, headers: request.headers, idempotencyKey, count, body };
    calls.push(call);
    const answer = await (behaviours.get(agent)?.(call) ?? { body: body.input_data });
    if (answer.delayMs) await new Promise((resolve) => setTimeout(resolve, answer.delayMs));
    if (answer.breakOff) return void request.socket.destroy();
    const { callBack } = answer;
    response.writeHead(answer.status ?? (callBack ? 202 : 200), {
      'content-type': 'application/json',
      ...answer.headers,
    });
    response.end(textOf(answer.body));
    if (callBack) {
      setTimeout(() => {
        const url = body.callback_url + (callBack.suffix ?? '');
        const headers = { 'content-type': 'application/json' };
        void fetch(url, { method: 'POST', headers, body: JSON.stringify(callBack.body) }).catch(() => {});
      }, callBack.afterMs);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: (agent) => `http://127.0.0.1:${port}/agents/${agent}`,
    calls,
    callsOf: (agent) => calls.filter((call) => call.agent === agent),
    on: (agent, behaviour) => void behaviours.set(agent, behaviour),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function textOf(body: AgentAnswer['body']): string {
  if (body === undefined) return '';
  if (typeof body === 'object' && body !== null && 'raw' in body && typeof body.raw === 'string')
    return body.raw;
  return JSON.stringify(body);
}
