import * as z from 'zod';
import type { AgentDetails, AgentKind, RegisteredAgent } from '../../../shared/application/manage-agents.ts';
import { count, json, textOrNull, timestamp, uuid } from '../fields/response-fields.ts';

/** The field that says where an agent of each kind is. */
export const addressField = { http: 'url', lambda: 'function_arn', kafka: 'topic' } as const satisfies Record<
  AgentKind,
  string
>;

const fields = {
  id: uuid,
  name: z.string().meta({ examples: ['data-extractor'] }),
  kind: z.enum(['http', 'lambda', 'kafka']),
  url: z
    .string()
    .optional()
    .describe('Of an http agent.')
    .meta({ examples: ['https://agents.example.com/data-extractor'] }),
  function_arn: z.string().optional().describe('Of a lambda agent.'),
  topic: z.string().optional().describe('Of a kafka agent.'),
  timeout_seconds: count.nullable().meta({ examples: [30] }),
  owner: textOrNull.describe("Null where it is everybody's."),
  created_at: timestamp,
  updated_at: timestamp,
};

export const listedAgent = z.strictObject(fields).meta({ id: 'ListedAgent' });

const detailedFields = {
  ...fields,
  example_output: json
    .describe('What a test of a workflow takes for its answer; null: it answers its input.')
    .meta({ examples: [null] }),
  previous_secret_until: timestamp
    .nullable()
    .describe('Until then calls are signed with the secret before as well; null: there is none.')
    .meta({ examples: [null] }),
};

export const agent = z.strictObject(detailedFields).meta({ id: 'Agent' });

export const managedAgent = z
  .strictObject({
    ...detailedFields,
    secret: z
      .string()
      .optional()
      .describe('Where it was made just now: it is shown this once.')
      .meta({ examples: ['whsec_c3RlcGxpbmUgc2lnbnMgY2FsbHMgd2l0aCB0aGlz'] }),
  })
  .meta({ id: 'ManagedAgent' });

export function presentAgent(
  details: AgentDetails,
  secret: string | null = null,
): z.infer<typeof managedAgent> {
  const { created_at, updated_at, ...listed } = presentListedAgent(details);
  return {
    ...listed,
    example_output: details.exampleOutput,
    previous_secret_until: details.previousSecretUntil?.toISOString() ?? null,
    ...(secret !== null && { secret }),
    created_at,
    updated_at,
  };
}

export function presentListedAgent(agent: RegisteredAgent): z.infer<typeof listedAgent> {
  const { id, owner, name, kind, address, timeoutSeconds, createdAt, updatedAt } = agent;
  return {
    id,
    name,
    kind,
    [addressField[kind]]: address,
    timeout_seconds: timeoutSeconds,
    owner,
    created_at: createdAt.toISOString(),
    updated_at: updatedAt.toISOString(),
  };
}
