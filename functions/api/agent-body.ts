import { validate as isUuid } from 'uuid';
import * as z from 'zod';
import type { AgentRequest } from '../../shared/application/manage-agents.ts';
import { limits } from '../../shared/config/limits.ts';
import { AGENT_TOPIC_PREFIX } from '../../shared/config/topics.ts';
import { isJsonObject } from '../../shared/engine/json.ts';
import type { Problem } from './api-error.ts';
import { addressField } from './presenters/agent.ts';
import { json, name, oversizedFields } from './request-fields.ts';
import type { BodySpec } from './route.ts';
import type { ApiServices } from './services.ts';

const kinds = ['http', 'lambda', 'kafka'] as const;
const MAX_TIMEOUT_SECONDS = 31_536_000;
/** As Lambda takes it: a name of at most 64 characters or an ARN, either with a version or an alias. */
const FUNCTION =
  /^(arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function:)?[\w-]{1,64}(:(\$LATEST|[\w-]{1,128}))?$/;
const TOPIC = /^[\w.-]{1,249}$/;

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
    .regex(FUNCTION, 'expected the name or ARN of a Lambda function, with :version or :alias or without')
    .optional()
    .describe('Of a lambda agent.'),
  topic: text
    .regex(TOPIC, 'expected at most 249 letters, digits, dots, underscores and hyphens')
    .refine((topic) => topic.startsWith(AGENT_TOPIC_PREFIX), `expected to start with ${AGENT_TOPIC_PREFIX}`)
    .optional()
    .describe('Of a kafka agent.'),
  timeout_seconds: timeout.describe(
    "How long it may take, where the step does not say. Default: the deployment's.",
  ),
  timeout: timeout.describe('Another name of `timeout_seconds`.'),
  example_output: json
    .nullish()
    .describe('What a test of a workflow takes for its answer; null: it answers its input.'),
  secret: text
    .optional()
    .describe('Of an http agent: calls are signed with it. Without one, one is made and shown this once.'),
};

const newAgent = z.strictObject({
  name: name.refine((given) => !isUuid(given), 'expected a name that is not a UUID'),
  ...settings,
});
const agentSettings = z.strictObject({ name: name.optional(), ...settings });

type AgentBody = z.infer<typeof agentSettings>;

const rules = {
  // The example output, and room for the rest.
  maxBytes: 2 * limits.maxPayloadBytes,
  findProblems: findAgentProblems,
  findOversized: ({ example_output }: AgentBody) => oversizedFields({ example_output }),
};

export const newAgentBody: BodySpec<z.infer<typeof newAgent>> = { schema: newAgent, ...rules };
export const agentBody: BodySpec<AgentBody> = { schema: agentSettings, ...rules };

export function agentRequestOf({
  kind,
  timeout_seconds,
  timeout: seconds,
  example_output,
  secret,
  ...body
}: AgentBody): AgentRequest {
  const address = body[addressField[kind]] ?? '';
  return {
    kind,
    address,
    timeoutSeconds: timeout_seconds ?? seconds ?? null,
    exampleOutput: example_output ?? null,
    secret,
  };
}

/** Each kind has one field that says where the agent is, and no other; addresses and secrets are checked by the deployment's rules. */
function findAgentProblems(json: unknown, { agentRules }: ApiServices): Problem[] {
  if (!isJsonObject(json)) return [];
  const problems: Problem[] = [];
  const { kind = 'http', url, secret } = json;
  if (kinds.includes(kind as AgentBody['kind'])) {
    const needed = addressField[kind as AgentBody['kind']];
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
  const urlProblem = typeof url === 'string' ? agentRules.checkUrl(url) : null;
  if (urlProblem !== null) problems.push({ path: 'url', message: urlProblem });
  const secretProblem = typeof secret === 'string' ? agentRules.checkSecret(secret) : null;
  if (secretProblem !== null) problems.push({ path: 'secret', message: secretProblem });
  if ((kind === 'lambda' || kind === 'kafka') && secret !== undefined) {
    problems.push({
      path: 'secret',
      message: `expected to be absent: calls of ${kind} agents are not signed`,
    });
  }
  if ((json.timeout ?? null) !== null && (json.timeout_seconds ?? null) !== null) {
    problems.push({ path: 'timeout', message: 'expected either timeout or timeout_seconds, not both' });
  }
  return problems;
}
