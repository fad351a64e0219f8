import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import {
  InvokeCommand,
  type InvokeCommandOutput,
  LambdaClient,
  type LambdaClientConfig,
} from '@aws-sdk/client-lambda';
import { limits } from '../config/limits.ts';
import { isJsonObject } from '../engine/json.ts';
import { type AgentCall, type AgentCaller, MAX_TIMER_MS } from './agent-call.ts';
import { boundAnswers } from './bound-answers.ts';
import { type CallOutcome, endsAfterMs, notAnsweredInTime } from './call-outcome.ts';
import { readInvokeFailure } from './invoke-failure.ts';
import { nameTheCall } from './name-the-call.ts';
import { readFunctionError } from './read-function-error.ts';
import { outputTooLarge, readOutput } from './read-output.ts';

export interface LambdaAgentCallerOptions {
  /** Epoch milliseconds. */
  readonly clock: () => number;
  /** Told of what somebody has to mend, in Lambda's own words: a run only shows the name of the exception. */
  readonly warn: (message: string, details: Record<string, unknown>) => void;
  /** Beside what the SDK takes from the environment: region, credentials, `AWS_ENDPOINT_URL`. */
  readonly client?: Pick<LambdaClientConfig, 'endpoint' | 'region' | 'credentials'>;
}

/** Connections idle for longer are not used again: a frozen execution environment does not see them being closed. */
const KEEP_ALIVE_MS = 4_000;
const CONNECT_TIMEOUT_MS = 5_000;

/**
 * Invokes functions synchronously, with the JSON that an HTTP agent would get and `idempotency_key` in it. What the function
 * returns is the output. A call is not signed: Lambda lets in whom IAM allows.
 */
export function createLambdaAgentCaller({ clock, warn, client }: LambdaAgentCallerOptions): AgentCaller {
  // The bridge says how many are called at once. Kept alive, the SDK has TCP probe them too: gateways forget a connection that is
  // silent for minutes, as it is while a function works.
  const sockets = { keepAlive: true, maxSockets: Number.POSITIVE_INFINITY };
  const agents = { httpAgent: new HttpAgent(sockets), httpsAgent: new HttpsAgent(sockets) };
  const lambda = new LambdaClient({
    ...client,
    requestHandler: { ...agents, connectionTimeout: CONNECT_TIMEOUT_MS },
    // A repeat by the SDK would invoke the function twice within one attempt. When and how often is the step's retry policy's to say.
    maxAttempts: 1,
  });
  // One byte beyond the limit tells that there is more.
  boundAnswers(lambda, limits.maxPayloadBytes + 1);
  let lastUsedAt = clock();

  return {
    async call(call) {
      const now = clock();
      if (now - lastUsedAt > KEEP_ALIVE_MS) Object.values(agents).forEach(releaseIdleSockets);
      lastUsedAt = now;

      const { promise: timeout, resolve: expire } = Promise.withResolvers<CallOutcome>();
      const controller = new AbortController();
      const timer = setTimeout(
        () => {
          expire(notAnsweredInTime(call));
          controller.abort();
        },
        Math.min(endsAfterMs(call), MAX_TIMER_MS),
      );
      try {
        // The first to come counts: the SDK notices an abort only while it is waiting for Lambda.
        return nameTheCall(await Promise.race([invoke(call, controller.signal), timeout]), call.agent);
      } finally {
        clearTimeout(timer);
      }
    },
    async close() {
      lambda.destroy();
    },
  };

  async function invoke(call: AgentCall, abortSignal: AbortSignal): Promise<CallOutcome> {
    const event = { ...call.body, idempotency_key: call.idempotencyKey };
    const command = new InvokeCommand({
      FunctionName: call.agent.address,
      InvocationType: 'RequestResponse',
      Payload: Buffer.from(JSON.stringify(event)),
    });
    let answer: InvokeCommandOutput;
    try {
      answer = await lambda.send(command, { abortSignal });
    } catch (error) {
      const { failure, needsMending } = readInvokeFailure(error, clock());
      if (needsMending) {
        const { name, message } = error as Error;
        warn('Lambda refused to invoke an agent', { function: call.agent.address, name, error: message });
      }
      return failure;
    }
    // Of an empty answer the SDK makes null, whatever its types say.
    const payload = Buffer.from(answer.Payload ?? []);
    if (answer.FunctionError !== undefined) return readFunctionError(payload);
    return readAnswer(payload, call.body.callback_url);
  }
}

/**
 * Exactly `{"accepted": <its callback_url>}` says what a 202 of an HTTP agent says. Nobody knows an attempt's callback URL before
 * the attempt is called, so no output looks like it by chance or by the intent of whoever wrote the input.
 */
function readAnswer(payload: Buffer, callbackUrl: string): CallOutcome {
  if (payload.length > limits.maxPayloadBytes) return outputTooLarge();
  const outcome = readOutput(payload);
  if (outcome.status !== 'completed' || !isJsonObject(outcome.output)) return outcome;
  const { accepted, ...others } = outcome.output;
  return accepted === callbackUrl && Object.keys(others).length === 0 ? { status: 'accepted' } : outcome;
}

function releaseIdleSockets({ freeSockets }: HttpAgent): void {
  for (const sockets of Object.values(freeSockets)) {
    for (const socket of sockets ?? []) socket.destroy();
  }
}
