import { limits } from '../config/limits.ts';
import { storableText } from '../engine/storable-text.ts';
import type { Agent } from './agent.ts';
import { ACCEPTED_ENCODINGS } from './content-encoding.ts';
import { MAX_REGISTRY_ANSWER_BYTES, readRegistryAnswer } from './registry-answer.ts';

export type RegistryLookup =
  | { readonly status: 'found'; readonly agent: Agent }
  | { readonly status: 'unknown' }
  /** It did not answer, or not as it should. The same question may be answered later. */
  | { readonly status: 'unavailable'; readonly message: string };

/** The registry at AGENT_REGISTRY_URL: agents that are not in our table, and everybody's. */
export interface AgentRegistry {
  /** Never rejects. */
  lookup(agentName: string): Promise<RegistryLookup>;
  /** What is known without asking: the agent, null for no such agent, undefined where it must be looked up. */
  known(agentName: string): Agent | null | undefined;
  /** Asks for all of them, so that `known` knows. Never rejects. */
  lookUp(agentNames: readonly string[]): Promise<void>;
}

export interface AgentRegistryOptions {
  /** `GET {url}/agents/{agent_name}` is asked. The operator's own address: not guarded as agents' are. */
  readonly url: string;
  /** Epoch milliseconds. */
  readonly clock: () => number;
  readonly timeoutMs?: number;
}

const FOUND_FOR_MS = 60_000;
const UNKNOWN_FOR_MS = 10_000;
const MAX_KEPT = 10_000;

export function createAgentRegistry({ url, clock, timeoutMs = 2_000 }: AgentRegistryOptions): AgentRegistry {
  const base = url.replace(/\/+$/, '');
  const kept = new Map<string, KeptAnswer>();
  const lookup = (agentName: string) => {
    const known = kept.get(agentName);
    if (known && known.until > clock()) return known.asked;
    // While it is being asked, others wait for the same answer.
    const entry: KeptAnswer = {
      asked: ask(base, agentName, timeoutMs),
      agent: undefined,
      until: Number.POSITIVE_INFINITY,
    };
    if (kept.size >= MAX_KEPT) kept.clear();
    kept.set(agentName, entry);
    void entry.asked.then((answer) => {
      entry.agent = answer.status === 'found' ? answer.agent : null;
      if (answer.status === 'unavailable') kept.delete(agentName);
      else entry.until = clock() + (answer.status === 'found' ? FOUND_FOR_MS : UNKNOWN_FOR_MS);
    });
    return entry.asked;
  };
  return {
    lookup,
    known(agentName) {
      const entry = kept.get(agentName);
      return entry && entry.until > clock() ? entry.agent : undefined;
    },
    async lookUp(agentNames) {
      await Promise.all(agentNames.map(lookup));
    },
  };
}

interface KeptAnswer {
  readonly asked: Promise<RegistryLookup>;
  /** Undefined until the answer has come. */
  agent: Agent | null | undefined;
  until: number;
}

async function ask(base: string, agentName: string, timeoutMs: number): Promise<RegistryLookup> {
  try {
    // Many functions may ask, and few do: its client is loaded when it is used.
    const { request } = await import('undici');
    const { statusCode, headers, body } = await request(`${base}/agents/${encodeURIComponent(agentName)}`, {
      headers: { accept: 'application/json', 'accept-encoding': ACCEPTED_ENCODINGS },
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
      if (length > MAX_REGISTRY_ANSWER_BYTES)
        return unavailable(`it answered more than ${MAX_REGISTRY_ANSWER_BYTES} bytes`);
      chunks.push(chunk);
    }
    const coding = [headers['content-encoding'] ?? []].flat().join(', ') || null;
    const answer = readRegistryAnswer(Buffer.concat(chunks), coding, agentName);
    return answer.ok ? { status: 'found', agent: answer.agent } : unavailable(answer.reason);
  } catch (error) {
    const { code, name } = error as Error & { code?: unknown };
    return unavailable(typeof code === 'string' ? code : name);
  }
}

function unavailable(reason: string): RegistryLookup {
  const message = storableText(
    `The agent registry could not be asked: ${reason}`,
    limits.maxErrorMessageLength,
  );
  return { status: 'unavailable', message };
}
