import type { Agent } from '../agents/agent.ts';
import { type FailedCall, failedCall } from '../agents/call-outcome.ts';
import type { AttemptCall } from '../persistence/agent-calls.ts';
import type { AgentBridgePorts, BridgedKind } from './ports.ts';

export type ResolvedAgent =
  | { readonly ok: true; readonly agent: Agent }
  | { readonly ok: false; readonly failure: FailedCall };

type ResolvePorts = Pick<AgentBridgePorts, 'kind' | 'readSecret' | 'lookupRegistry'>;

/** The agent of an attempt: of the table, else of the registry. Only the registry is waited for. */
export function resolveAgent(
  call: AttemptCall,
  { kind: bridged, readSecret, lookupRegistry }: ResolvePorts,
): ResolvedAgent | Promise<ResolvedAgent> {
  const { agentName: name, agent } = call;
  if (agent === null)
    return lookupRegistry === null ? unknown(name) : askRegistry(name, bridged, lookupRegistry);
  let secret: string | null;
  try {
    secret = agent.secretEncrypted === null ? null : readSecret(agent.secretEncrypted);
  } catch (error) {
    return failed('AGENT_SECRET_UNUSABLE', (error as Error).message, false);
  }
  const { kind, address, timeoutSeconds } = agent;
  return ofKind(bridged, { name, kind, address, timeoutSeconds, secret });
}

async function askRegistry(
  name: string,
  bridged: BridgedKind,
  lookup: NonNullable<AgentBridgePorts['lookupRegistry']>,
): Promise<ResolvedAgent> {
  const answer = await lookup(name);
  if (answer.status === 'found') return ofKind(bridged, answer.agent);
  if (answer.status === 'unknown') return unknown(name);
  const { message, retryAfterMs } = answer;
  const failure = failedCall('AGENT_REGISTRY_UNAVAILABLE', message, { retryable: true, retryAfterMs });
  return { ok: false, failure };
}

function ofKind(bridged: BridgedKind, agent: Agent): ResolvedAgent {
  if (agent.kind === bridged) return { ok: true, agent };
  // Registered anew since the task was published, or the registry could not be asked then: the next attempt goes the right way.
  return failed(
    'AGENT_KIND_CHANGED',
    `Agent "${agent.name}" is of kind ${agent.kind}, and the task came to the ${bridged} bridge`,
    true,
  );
}

function unknown(name: string): ResolvedAgent {
  return failed('AGENT_NOT_FOUND', `There is no agent "${name}" that this run may use. Register it.`, false);
}

function failed(code: string, message: string, retryable: boolean): ResolvedAgent {
  return { ok: false, failure: failedCall(code, message, { retryable }) };
}
