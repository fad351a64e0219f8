import * as z from 'zod';
import type { Agent } from './agent.ts';
import { decodeBody } from './content-encoding.ts';
import { checkAgentSecret } from './secrets.ts';

export const MAX_REGISTRY_ANSWER_BYTES = 64 * 1024;
/** As for agents that are registered here. */
const MAX_TIMEOUT_SECONDS = 31_536_000;

const secret = z.string().superRefine((text, context) => {
  const message = checkAgentSecret(text);
  if (message !== null) context.addIssue({ code: 'custom', message });
});
const common = {
  name: z.string(),
  /** Seconds. */
  timeout: z.int().min(1).max(MAX_TIMEOUT_SECONDS).nullish(),
  secret: secret.nullish(),
  /** While it is being replaced: calls are signed with both. */
  previous_secret: secret.nullish(),
};
const registryAgent = z.discriminatedUnion('kind', [
  z.object({ ...common, kind: z.literal('http'), url: z.string().min(1) }),
  z.object({ ...common, kind: z.literal('lambda'), function_arn: z.string().min(1) }),
  z.object({ ...common, kind: z.literal('kafka'), topic: z.string().min(1) }),
]);

export type RegistryAnswer =
  | { readonly ok: true; readonly agent: Agent }
  /** It is not what a registry should answer. */
  | { readonly ok: false; readonly reason: string };

/**
 * The body of a registry's 200. Where the agent is, is checked as it is for every other when it is used (`createCheckAddress`).
 * @param contentEncoding the header; null where it is absent
 */
export function readRegistryAnswer(
  body: Buffer,
  contentEncoding: string | null,
  agentName: string,
): RegistryAnswer {
  const decoded = decodeBody(body, contentEncoding, { maxBytes: MAX_REGISTRY_ANSWER_BYTES });
  if (!decoded.ok) return wrong(`it answered in ${decoded.coding}, which cannot be read`);
  let answer: unknown;
  try {
    answer = JSON.parse(decoded.body.toString('utf8').replace(/^\uFEFF/, ''));
  } catch {
    return wrong('it answered something that is not JSON');
  }
  const parsed = registryAgent.safeParse(answer);
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    return wrong(`it answered another form than expected: ${problems.join('; ')}`);
  }
  const { data: found } = parsed;
  if (found.name !== agentName) return wrong('it answered with another agent than the one asked for');
  const { kind, timeout, secret, previous_secret } = found;
  const address = kind === 'http' ? found.url : kind === 'lambda' ? found.function_arn : found.topic;
  const secrets = [secret, previous_secret].filter((one) => one !== null && one !== undefined);
  const timeoutSeconds = timeout ?? null;
  return { ok: true, agent: { name: agentName, kind, address, owner: null, timeoutSeconds, secrets } };
}

function wrong(reason: string): RegistryAnswer {
  return { ok: false, reason };
}
