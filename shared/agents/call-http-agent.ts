import type { IncomingHttpHeaders } from 'node:http';
import { LRUCache } from 'lru-cache';
import { Agent, type buildConnector, type Dispatcher } from 'undici';
import type { AddressGuard } from './address-guard.ts';
import { type AgentCall, type AgentCaller, MAX_TIMER_MS } from './agent-call.ts';
import type { AgentGuards } from './agent-guards.ts';
import { addressRefused } from './agent-rules.ts';
import { type CallOutcome, endsAfterMs, failedCall, notAnsweredInTime } from './call-outcome.ts';
import { checkUrl } from './check-agent-url.ts';
import { ACCEPTED_ENCODINGS } from './content-encoding.ts';
import { createGuardedConnector } from './guarded-connector.ts';
import { nameTheCall, unreachable } from './name-the-call.ts';
import { MAX_ERROR_BODY_BYTES, readFailure } from './read-failure.ts';
import { MAX_ENCODED_BYTES, outputTooLarge, readAnswer } from './read-output.ts';
import { SECRET_FORM } from './secrets.ts';
import { createCallSigner, webhookIdOf } from './sign-call.ts';

export interface HttpAgentCallerOptions {
  readonly guards: AgentGuards;
  /** Epoch milliseconds. */
  readonly clock: () => number;
  /** Certificate authorities of agents inside, for instance. */
  readonly connect?: buildConnector.BuildOptions;
}

/** How long an idle connection is kept. Servers commonly close theirs after 5 s; one that was closed unseen costs an attempt. */
const KEEP_ALIVE_MS = 4_000;
const MAX_KNOWN_URLS = 1_000;

export function createHttpAgentCaller({ guards, clock, connect }: HttpAgentCallerOptions): AgentCaller {
  const signer = createCallSigner(clock);
  // A connection is not checked again: one that was opened for everybody's agent must not serve a user's own.
  const everybodys = createPool(guards.everybodys, connect);
  const own = createPool(guards.own, connect);
  let lastUsedAt = clock();

  async function answerTo(call: AgentCall): Promise<CallOutcome> {
    const { agent } = call;
    const pool = agent.owner === null ? everybodys : own;
    const target = pool.targetOf(agent.address);
    if ('status' in target) return nameTheCall(target, agent);
    const body = Buffer.from(JSON.stringify(call.body));
    const signature = signer.sign(agent.secrets, webhookIdOf(call.idempotencyKey), body);
    if (!signature) {
      const message = `The agent's secret cannot sign: expected ${SECRET_FORM}. Register the agent again.`;
      return nameTheCall(failedCall('AGENT_SECRET_UNUSABLE', message, { retryable: false }), agent);
    }
    const headers = [
      'content-type',
      'application/json',
      'accept',
      'application/json, application/problem+json',
      'accept-encoding',
      ACCEPTED_ENCODINGS,
      'user-agent',
      'Stepline',
      'idempotency-key',
      headerText(call.idempotencyKey),
      ...signature,
    ];
    // A frozen execution environment sees no connection close and no timer run, so what it kept may be dead when it thaws.
    const now = clock();
    if (now - lastUsedAt > KEEP_ALIVE_MS) {
      everybodys.renew();
      own.renew();
    }
    lastUsedAt = now;
    return exchange(pool.connections(), { ...target, method: 'POST', headers, body }, call, clock);
  }

  return {
    call: answerTo,
    async close() {
      await Promise.all([everybodys.close(), own.close()]);
    },
  };
}

/** Connections that one guard has let through, and what it says of URLs. */
function createPool(guard: AddressGuard, connect: buildConnector.BuildOptions | undefined) {
  const connector = createGuardedConnector(guard, connect);
  const newAgent = () => {
    // The call's own timer bounds all of it; undici's would only add work.
    return new Agent({
      connect: connector,
      keepAliveTimeout: KEEP_ALIVE_MS,
      headersTimeout: 0,
      bodyTimeout: 0,
    });
  };
  let agent = newAgent();
  const targets = new LRUCache<string, Target | CallOutcome>({ max: MAX_KNOWN_URLS });
  return {
    connections: () => agent,
    renew() {
      void agent.close();
      agent = newAgent();
    },
    close: () => agent.close(),
    targetOf(url: string): Target | CallOutcome {
      let target = targets.get(url);
      if (!target) {
        const problem = checkUrl(url, guard);
        target = problem === null ? targetFrom(new URL(url)) : addressRefused(`url: ${problem}`);
        targets.set(url, target);
      }
      return target;
    },
  };
}

interface Target {
  readonly origin: string;
  readonly path: string;
}

function targetFrom({ origin, pathname, search }: URL): Target {
  return { origin, path: pathname + search };
}

/** Ids go into headers as they are, unless a header could not carry them. */
function headerText(text: string): string {
  return /^[\x21-\x7e]+$/.test(text) ? text : encodeURIComponent(text.toWellFormed());
}

/** One request and its answer, within the call's time. */
function exchange(
  agent: Agent,
  request: Dispatcher.DispatchOptions,
  call: AgentCall,
  clock: () => number,
): Promise<CallOutcome> {
  const { promise, resolve } = Promise.withResolvers<CallOutcome>();
  const settle = (outcome: CallOutcome) => resolve(nameTheCall(outcome, call.agent, status));
  let controller: Dispatcher.DispatchController | null = null;
  let expired = false;
  let status = 0;
  let headers: IncomingHttpHeaders = {};
  let chunks: Buffer[] = [];
  let length = 0;

  const isOutput = () => status >= 200 && status < 300;
  const failure = () => {
    const body = Buffer.concat(chunks);
    return readFailure({ status, ...headersOf(headers), body }, clock());
  };
  const stop = () => controller?.abort(new Error('The rest of the answer is not read.'));
  const timer = setTimeout(
    () => {
      expired = true;
      settle(status > 0 && !isOutput() ? failure() : notAnsweredInTime(call));
      stop();
    },
    Math.min(endsAfterMs(call), MAX_TIMER_MS),
  );

  agent.dispatch(request, {
    onRequestStart(started) {
      controller = started;
      if (expired) stop();
    },
    onResponseStart(_, statusCode, responseHeaders) {
      // 1xx come before the answer.
      if (statusCode < 200) return;
      status = statusCode;
      headers = responseHeaders;
      if (status === 202) settle({ status: 'accepted' });
    },
    onResponseData(_, chunk) {
      length += chunk.length;
      const limit = isOutput() ? MAX_ENCODED_BYTES : MAX_ERROR_BODY_BYTES;
      if (length <= limit) {
        chunks.push(chunk);
        return;
      }
      chunks.push(chunk.subarray(0, chunk.length - (length - limit)));
      settle(isOutput() ? outputTooLarge() : failure());
      chunks = [];
      stop();
    },
    onResponseEnd() {
      clearTimeout(timer);
      if (status === 202) return;
      if (!isOutput()) return settle(failure());
      const body = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
      settle(readAnswer({ ...headersOf(headers), body }));
    },
    onResponseError(_, error) {
      clearTimeout(timer);
      settle(status > 0 && !isOutput() ? failure() : notAnswered(error));
    },
  });
  return promise;
}

function headersOf(headers: IncomingHttpHeaders) {
  const one = (value: string | string[] | undefined) => (Array.isArray(value) ? value[0] : value) ?? null;
  return {
    contentType: one(headers['content-type']),
    contentEncoding: [headers['content-encoding'] ?? []].flat().join(', ') || null,
    retryAfter: one(headers['retry-after']),
    location: one(headers.location),
  };
}

function notAnswered(error: Error): CallOutcome {
  if ('code' in error && error.code === 'AGENT_ADDRESS_REFUSED') return addressRefused(error.message);
  return unreachable(error);
}
