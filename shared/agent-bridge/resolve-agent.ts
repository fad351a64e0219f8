import type { Agent } from '../agents/agent.ts';
import { addressRefused } from '../agents/agent-rules.ts';
import { type FailedCall, failedCall } from '../agents/call-outcome.ts';
import { nameTheCall } from '../agents/name-the-call.ts';
import type { AttemptCall } from '../persistence/agent-calls.ts';
import type { AgentBridgePorts } from './ports.ts';

export type ResolvedAgent =
  | { readonly ok: true; readonly agent: Agent }
  | { readonly ok: false; readonly failure: FailedCall };

type ResolvePorts = Pick<AgentBridgePorts, 'kind' | 'readSecret' | 'lookupRegistry' | 'checkAddress'>;

/** The agent of an attempt: of the table, else of the registry. Only the registry is waited for. */
export function resolveAgent(
  call: Pick<AttemptCall, 'agentName' | 'agent'>,
  ports: ResolvePorts,
): ResolvedAgent | Promise<ResolvedAgent> {
  const { agentName: name, agent } = call;
  const { readSecret, lookupRegistry } = ports;
  if (agent === null)
    return lookupRegistry === null ? unknown(name) : askRegistry(name, ports, lookupRegistry);
  const { secretEncrypted, previousSecretEncrypted } = agent;
  const { kind, address, owner, timeoutSeconds } = agent;
  let secrets: string[];
  try {
    secrets = secretEncrypted === null ? [] : [readSecret(secretEncrypted)];
  } catch (error) {
    const failure = failedCall('AGENT_SECRET_UNUSABLE', (error as Error).message, { retryable: false });
    return { ok: false, failure: nameTheCall(failure, { name, address }) };
  }
  if (previousSecretEncrypted !== null) {
    try {
      secrets.push(readSecret(previousSecretEncrypted));
    } catch {
      // Replaced because it could not be read any more: the new one is enough.
    }
  }
  return callable({ name, kind, address, owner, timeoutSeconds, secrets }, ports);
}

async function askRegistry(
  name: string,
  ports: ResolvePorts,
  lookup: NonNullable<AgentBridgePorts['lookupRegistry']>,
): Promise<ResolvedAgent> {
  const answer = await lookup(name);
  if (answer.status === 'found') return callable(answer.agent, ports);
  if (answer.status === 'unknown') return unknown(name);
  const message = `${answer.message} (agent "${name}")`;
  const again = { retryable: true, retryAfterMs: answer.retryAfterMs };
  return { ok: false, failure: failedCall('AGENT_REGISTRY_UNAVAILABLE', message, again) };
}

function callable(agent: Agent, { kind: bridged, checkAddress }: ResolvePorts): ResolvedAgent {
  const problem = checkAddress(agent);
  if (problem !== null) return { ok: false, failure: nameTheCall(addressRefused(problem), agent) };
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
