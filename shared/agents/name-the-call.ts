import { limits } from '../config/limits.ts';
import { storableText } from '../engine/storable-text.ts';
import type { Agent } from './agent.ts';
import { type CallOutcome, type FailedCall, failedCall } from './call-outcome.ts';
import { cleanMessage } from './error-text.ts';

/**
 * Says of a failure which agent it was and where: whoever reads a run's error may not know how the agent's name was registered. A URL's
 * query may hold a key, and is not said.
 * @param status of its HTTP answer; 0 where none came
 */
export function nameTheCall<Outcome extends CallOutcome>(
  outcome: Outcome,
  { name, address }: Pick<Agent, 'name' | 'address'>,
  status = 0,
): Outcome {
  if (outcome.status !== 'failed') return outcome;
  const { message } = outcome.error;
  const answered =
    status === 0 || message.startsWith(`The agent answered ${status}`) ? '' : `, HTTP ${status}`;
  const where = cleanMessage(` (agent "${name}" at ${withoutQuery(address)}${answered})`);
  const kept = storableText(message, limits.maxErrorMessageLength - where.length);
  return { ...outcome, error: { ...outcome.error, message: kept + where } };
}

/** Nobody answered, or not to the end. Of the error only its code, and where a connection was tried: its text may say more. */
export function unreachable(error: unknown, code = codeOf(error)): FailedCall {
  const tried = triedAddresses(error);
  const message = `The agent gave no complete answer: ${code}${tried === '' ? '' : ` ${tried}`}`;
  return failedCall('AGENT_UNREACHABLE', cleanMessage(message), { retryable: true });
}

function codeOf(error: unknown): string {
  const { code, name } = error as { code?: unknown; name?: unknown };
  return typeof code === 'string' ? code : String(name);
}

/** Of a name with several addresses each was tried. */
function triedAddresses(error: unknown): string {
  const errors: unknown[] = error instanceof AggregateError ? error.errors : [error];
  const addresses = (errors as { address?: unknown; port?: unknown }[]).flatMap(({ address, port }) =>
    typeof address === 'string' && typeof port === 'number'
      ? [address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`]
      : [],
  );
  return [...new Set(addresses)].join(', ');
}

/** Of a URL neither query nor credentials; what is none, a function's name, has no such. */
export function withoutQuery(address: string): string {
  const url = URL.parse(address);
  if (url !== null && url.host !== '') return url.origin + url.pathname;
  return (address.split(/[?#]/, 1)[0] ?? '').replace(/^\/\/[^/]*@/, '//');
}
