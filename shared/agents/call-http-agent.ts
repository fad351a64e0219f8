import type { IncomingHttpHeaders } from 'node:http';
import { Agent, type buildConnector, type Dispatcher } from 'undici';
import { limits } from '../config/limits.ts';
import type { AddressGuard } from './address-guard.ts';
import { type AgentCall, type AgentCaller, MAX_TIMER_MS } from './agent-call.ts';
import { type CallOutcome, endsAfterMs, failedCall, notAnsweredInTime } from './call-outcome.ts';
import { checkUrl } from './check-agent-url.ts';
import { createGuardedConnector } from './guarded-connector.ts';
import { readFailure } from './read-failure.ts';
import { outputTooLarge, readOutput } from './read-output.ts';
import { createCallSigner } from './sign-call.ts';

export interface HttpAgentCallerOptions {
  readonly guard: AddressGuard;
  /** Epoch milliseconds. */
  readonly clock: () => number;
  /** Certificate authorities of agents inside, for instance. */
  readonly connect?: buildConnector.BuildOptions;
}

/** How long an idle connection is kept. Servers commonly close theirs after 5 s; one that was closed unseen costs an attempt. */
const KEEP_ALIVE_MS = 4_000;
/** Of an error's body only a code and a message are kept. */
const MAX_ERROR_BODY_BYTES = 64 * 1024;
const MAX_KNOWN_URLS = 1_000;

export function createHttpAgentCaller({ guard, clock, connect }: HttpAgentCallerOptions): AgentCaller {
  const connector = createGuardedConnector(guard, connect);
  const signer = createCallSigner(clock);
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
  let lastUsedAt = clock();

  const targets = new Map<string, Target | CallOutcome>();
  const targetOf = (url: string) => {
    let target = targets.get(url);
    if (!target) {
      const problem = checkUrl(url, guard);
      target =
        problem === null
          ? targetFrom(new URL(url))
          : failedCall('AGENT_ADDRESS_REFUSED', `The agent's URL cannot be called: ${problem}`, {
              retryable: false,
            });
      if (targets.size >= MAX_KNOWN_URLS) targets.clear();
      targets.set(url, target);
    }
    return target;
  };

  return {
    async call(call) {
      const target = targetOf(call.address);
      if ('status' in target) return target;
      const body = Buffer.from(JSON.stringify(call.body));
      const id = headerText(call.body.step_execution_id);
      const signature = call.secret === null ? [] : signer.sign(call.secret, id, body);
      if (!signature) {
        const message = 'Expected base64 after whsec_ in the secret of the agent. Register it again.';
        return failedCall('AGENT_SECRET_UNUSABLE', message, { retryable: false });
      }
      const headers = [
        'content-type',
        'application/json',
        'accept',
        'application/json, application/problem+json',
        'user-agent',
        'Stepline',
        'idempotency-key',
        headerText(call.idempotencyKey),
        ...signature,
      ];
      // A frozen execution environment sees no connection close and no timer run, so what it kept may be dead when it thaws.
      const now = clock();
      if (now - lastUsedAt > KEEP_ALIVE_MS) {
        void agent.close();
        agent = newAgent();
      }
      lastUsedAt = now;
      return exchange(agent, { ...target, method: 'POST', headers, body }, call, clock);
    },
    close: () => agent.close(),
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
  let controller: Dispatcher.DispatchController | null = null;
  let expired = false;
  let status = 0;
  let headers: IncomingHttpHeaders = {};
  let chunks: Buffer[] = [];
  let length = 0;

  const isOutput = () => status >= 200 && status < 300;
  const failure = () => {
    const body = Buffer.concat(chunks);
    return readFailure({ status, ...headersOfFailure(headers), body }, clock());
  };
  const stop = () => controller?.abort(new Error('The rest of the answer is not read.'));
  const timer = setTimeout(
    () => {
      expired = true;
      resolve(status > 0 && !isOutput() ? failure() : notAnsweredInTime(call));
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
      if (status === 202) resolve({ status: 'accepted' });
    },
    onResponseData(_, chunk) {
      length += chunk.length;
      const limit = isOutput() ? limits.maxPayloadBytes : MAX_ERROR_BODY_BYTES;
      if (length <= limit) {
        chunks.push(chunk);
        return;
      }
      chunks.push(chunk.subarray(0, chunk.length - (length - limit)));
      resolve(isOutput() ? outputTooLarge() : failure());
      chunks = [];
      stop();
    },
    onResponseEnd() {
      clearTimeout(timer);
      if (status === 202) return;
      if (!isOutput()) return resolve(failure());
      resolve(readOutput(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
    },
    onResponseError(_, error) {
      clearTimeout(timer);
      resolve(status > 0 && !isOutput() ? failure() : notAnswered(error));
    },
  });
  return promise;
}

function headersOfFailure(headers: IncomingHttpHeaders) {
  const one = (value: string | string[] | undefined) => (Array.isArray(value) ? value[0] : value) ?? null;
  return {
    contentType: one(headers['content-type']),
    retryAfter: one(headers['retry-after']),
    location: one(headers.location),
  };
}

function notAnswered(error: Error): CallOutcome {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.name;
  if (code === 'AGENT_ADDRESS_REFUSED') return failedCall(code, error.message, { retryable: false });
  // Only the error's code: its text would tell what a private name resolves to.
  return failedCall('AGENT_UNREACHABLE', `The agent gave no complete answer: ${code}`, { retryable: true });
}
