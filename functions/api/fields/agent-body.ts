import { validate as isUuid } from 'uuid';
import * as z from 'zod';
import type { AgentRequest, RegisteredAgent } from '../../../shared/application/manage-agents.ts';
import { limits } from '../../../shared/config/limits.ts';
import { isJsonObject } from '../../../shared/engine/json.ts';
import type { Problem } from '../http/api-error.ts';
import type { BodySpec } from '../http/route.ts';
import { addressField } from '../presenters/agent.ts';
import type { ApiServices } from '../services.ts';
import { json, name, oversizedFields } from './request-fields.ts';

const kinds = ['http', 'lambda', 'kafka'] as const;
const MAX_TIMEOUT_SECONDS = 31_536_000;
const MAX_OVERLAP_SECONDS = 2_592_000;

const text = z.string({ error: 'expected text' });
const timeout = z
  .int({ error: `expected a whole number of seconds from 1 to ${MAX_TIMEOUT_SECONDS}` })
  .min(1, `expected at least 1`)
  .max(MAX_TIMEOUT_SECONDS, `expected at most ${MAX_TIMEOUT_SECONDS}`)
  .nullish();

const settings = {
  kind: z.enum(kinds, { error: `expected one of ${kinds.join(', ')}` }).default('http'),
  url: text.optional().describe('Of an http agent.'),
  function_arn: text
    .optional()
    .describe('Of a lambda agent: name or ARN, with `:version` or `:alias` or without.'),
  topic: text.optional().describe('Of a kafka agent: `agent.…`.'),
  timeout_seconds: timeout.describe(
    "How long it may take, where the step does not say. Default: the deployment's.",
  ),
  timeout: timeout.describe('Another name of `timeout_seconds`.'),
  example_output: json
    .nullish()
    .describe('What a test of a workflow takes for its answer; null: it answers its input.'),
  secret: text
    .optional()
    .describe(
      'Of an http agent: calls are signed with it. `whsec_` and 24 to 64 bytes in base64; without one, one is made and shown this once.',
    ),
};

const newAgent = z.strictObject({
  name: name.refine((given) => !isUuid(given), 'expected a name that is not a UUID'),
  ...settings,
});
const agentSettings = z.strictObject({
  name: name.optional(),
  ...settings,
  secret_overlap_seconds: z
    .int({ error: `expected a whole number of seconds from 0 to ${MAX_OVERLAP_SECONDS}` })
    .min(0, 'expected at least 0')
    .max(MAX_OVERLAP_SECONDS, `expected at most ${MAX_OVERLAP_SECONDS}`)
    .optional()
    .describe(
      'How long from now calls are signed with the secret before as well, where there is one. Default with another `secret`: a day; without: as it was. 0 ends it.',
    ),
});

type AgentBody = z.infer<typeof agentSettings>;
type Owned = Pick<RegisteredAgent, 'owner'>;

const rules = {
  // The example output, and room for the rest.
  maxBytes: 2 * limits.maxPayloadBytes,
  findOversized: ({ example_output }: Pick<AgentBody, 'example_output'>) =>
    oversizedFields({ example_output }),
};

export const newAgentBody: BodySpec<z.infer<typeof newAgent>> = {
  schema: newAgent,
  ...rules,
  findProblems: (given, services, _, caller) =>
    findAgentProblems(given, services, { owner: caller?.isAdmin ? null : (caller?.userId ?? '') }),
};
export const agentBody: BodySpec<AgentBody, Owned> = {
  schema: agentSettings,
  ...rules,
  findProblems: findAgentProblems,
};

export function agentRequestOf({
  kind,
  timeout_seconds,
  timeout: seconds,
  example_output,
  secret,
  secret_overlap_seconds,
  ...body
}: AgentBody): AgentRequest {
  const address = body[addressField[kind]] ?? '';
  return {
    kind,
    address,
    timeoutSeconds: timeout_seconds ?? seconds ?? null,
    exampleOutput: example_output ?? null,
    secret,
    secretOverlapSeconds: secret_overlap_seconds,
  };
}

/** Each kind has one field that says where the agent is, and no other; addresses and secrets are checked by the deployment's rules. */
function findAgentProblems(json: unknown, { agentRules }: ApiServices, { owner }: Owned): Problem[] {
  if (!isJsonObject(json)) return [];
  const problems: Problem[] = [];
  const { kind = 'http', secret } = json;
  if (kinds.includes(kind as AgentBody['kind'])) {
    const ofKind = kind as AgentBody['kind'];
    const needed = addressField[ofKind];
    const address = json[needed];
    const problem =
      typeof address === 'string' ? agentRules.checkAddress({ kind: ofKind, address, owner }) : null;
    if (problem !== null) problems.push({ path: needed, message: problem });
    if (json[needed] === undefined) {
      problems.push({ path: needed, message: `expected text: an agent of kind ${kind} needs it` });
    }
    for (const other of Object.values(addressField)) {
      if (other === needed || json[other] === undefined) continue;
      problems.push({
        path: other,
        message: `expected to be absent: an agent of kind ${kind} has ${needed}`,
      });
    }
  }
  const secretProblem = typeof secret === 'string' ? agentRules.checkSecret(secret) : null;
  if (secretProblem !== null) problems.push({ path: 'secret', message: secretProblem });
  if (kind === 'lambda' || kind === 'kafka') {
    for (const path of ['secret', 'secret_overlap_seconds'].filter((name) => json[name] !== undefined)) {
      problems.push({ path, message: `expected to be absent: calls of ${kind} agents are not signed` });
    }
  }
  if ((json.timeout ?? null) !== null && (json.timeout_seconds ?? null) !== null) {
    problems.push({ path: 'timeout', message: 'expected either timeout or timeout_seconds, not both' });
  }
  return problems;
}
