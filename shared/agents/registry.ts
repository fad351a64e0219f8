import * as z from 'zod';
import { limits } from '../config/limits.ts';
import type { Agent } from './agent.ts';
import { RegistryMemory } from './registry-memory.ts';

export type RegistryLookup =
  | { readonly status: 'found'; readonly agent: Agent }
  | { readonly status: 'unknown' }
  /** It did not answer, or not as it should. The same question may be answered later. */
  | { readonly status: 'unavailable'; readonly message: string; readonly retryAfterMs?: number };

/** The registry at AGENT_REGISTRY_URL: agents that are not in our table, and everybody's. */
export interface AgentRegistry {
  /** What is known, else what it answers; that may take its whole timeout. Never rejects. */
  lookup(agentName: string): Promise<RegistryLookup>;
  /** What is known without waiting: the agent, null for no such agent, undefined where it must be looked up. */
  known(agentName: string): Agent | null | undefined;
  /**
   * Asks for all of them, so that `known` knows, and waits so long at most: not at all where it took longer the last time, or is
   * taking longer. Never rejects.
   */
  lookUp(agentNames: readonly string[], patienceMs: number): Promise<void>;
}

export interface AgentRegistryOptions {
  /** `GET {url}/agents/{agent_name}` is asked. The operator's own address: not guarded as agents' are. */
  readonly url: string;
  /** Epoch milliseconds. */
  readonly clock: () => number;
  readonly timeoutMs?: number;
}

const MAX_BODY_BYTES = 64 * 1024;

const common = {
  name: z.string(),
  /** Seconds. */
  timeout: z.number().int().positive().nullish(),
  secret: z.string().min(1).nullish(),
};
const registryAgent = z.discriminatedUnion('kind', [
  z.object({ ...common, kind: z.literal('http'), url: z.string().min(1) }),
  z.object({ ...common, kind: z.literal('lambda'), function_arn: z.string().min(1) }),
  z.object({ ...common, kind: z.literal('kafka'), topic: z.string().min(1) }),
]);

export function createAgentRegistry({ url, clock, timeoutMs = 2_000 }: AgentRegistryOptions): AgentRegistry {
  const base = url.replace(/\/+$/, '');
  const memory = new RegistryMemory({ ask: (agentName) => ask(base, agentName, timeoutMs), clock });
  return {
    lookup: (agentName) => memory.lookup(agentName),
    known: (agentName) => memory.known(agentName),
    lookUp: (agentNames, patienceMs) => memory.lookUp(agentNames, patienceMs),
  };
}

async function ask(base: string, agentName: string, timeoutMs: number): Promise<RegistryLookup> {
  try {
    // Many functions may ask, and few do: its client is loaded when it is used.
    const { request } = await import('undici');
    const { statusCode, body } = await request(`${base}/agents/${encodeURIComponent(agentName)}`, {
      headers: { accept: 'application/json' },
      signal: AbortSignal.timeout(timeoutMs),
    });
    if (statusCode !== 200) {
      await body.dump();
      if (statusCode === 404) return { status: 'unknown' };
      return unavailable(`it answered ${statusCode}`);
    }
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of body as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > MAX_BODY_BYTES) return unavailable(`it answered more than ${MAX_BODY_BYTES} bytes`);
      chunks.push(chunk);
    }
    return readAnswer(JSON.parse(Buffer.concat(chunks).toString()), agentName);
  } catch (error) {
    if (error instanceof SyntaxError) return unavailable('it answered something that is not JSON');
    const { code, name } = error as Error & { code?: unknown };
    return unavailable(typeof code === 'string' ? code : name);
  }
}

function readAnswer(answer: unknown, agentName: string): RegistryLookup {
  const parsed = registryAgent.safeParse(answer);
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    return unavailable(`it answered another form than expected: ${problems.join('; ')}`);
  }
  const found = parsed.data;
  if (found.name !== agentName) return unavailable('it answered with another agent than the one asked for');
  const address =
    found.kind === 'http' ? found.url : found.kind === 'lambda' ? found.function_arn : found.topic;
  const agent: Agent = {
    name: agentName,
    kind: found.kind,
    address,
    timeoutSeconds: found.timeout ?? null,
    secret: found.secret ?? null,
  };
  return { status: 'found', agent };
}

function unavailable(reason: string): RegistryLookup {
  const message = `The agent registry could not be asked: ${reason}`.slice(0, limits.maxErrorMessageLength);
  return { status: 'unavailable', message };
}
