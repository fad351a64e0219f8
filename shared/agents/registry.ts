import { limits } from '../config/limits.ts';
import { storableText } from '../engine/storable-text.ts';
import type { AgentRegistry, RegistryLookup } from './agent-registry.ts';
import { ACCEPTED_ENCODINGS } from './content-encoding.ts';
import { MAX_REGISTRY_ANSWER_BYTES, readRegistryAnswer } from './registry-answer.ts';
import { RegistryMemory } from './registry-memory.ts';

export interface AgentRegistryOptions {
  /** `GET {url}/agents/{agent_name}` is asked. The operator's own address: not guarded as agents' are. */
  readonly url: string;
  /** Epoch milliseconds. */
  readonly clock: () => number;
  readonly timeoutMs?: number;
}

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
