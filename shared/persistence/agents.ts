import { validate as isUuid, v7 as uuidv7 } from 'uuid';
import type {
  AgentDetails,
  AgentKind,
  Agents,
  RegisteredAgent,
  SecretChange,
} from '../application/manage-agents.ts';
import type { Json } from '../engine/json.ts';
import { auditPart } from './audit-log.ts';
import type { Statements } from './database.ts';
import { isBeyond, pageOf } from './keyset.ts';
import { jsonParameter, Parameters } from './sql.ts';
import { canManageAgent, canViewAgent } from './visibility.ts';

interface AgentRow {
  id: string;
  owner: string | null;
  name: string;
  kind: AgentKind;
  address: string;
  timeout_seconds: number | null;
  created_at: Date;
  updated_at: Date;
}

interface AgentDetailsRow extends AgentRow {
  example_output: Json;
  previous_secret_until: Date | null;
}

const COLUMNS = 'a.id, a.owner, a.name, a.kind, a.address, a.timeout_seconds, a.created_at, a.updated_at';
const ALL_COLUMNS = `${COLUMNS}, a.example_output,
  case when a.previous_secret_until > now() then a.previous_secret_until end as previous_secret_until`;

/** The API's agents. What a run needs of them is read elsewhere. */
export function createAgents(database: Statements): Agents {
  return {
    async insertAgent({ owner, name, kind, address, timeoutSeconds, exampleOutput, secretEncrypted }, audit) {
      const parameters = new Parameters();
      const values = [
        uuidv7(),
        owner,
        name,
        kind,
        address,
        timeoutSeconds,
        jsonParameter(exampleOutput),
        secretEncrypted,
      ];
      const row = await database.one<AgentDetailsRow>(
        `with agent as (
           insert into agents as a (id, owner, name, kind, address, timeout_seconds, example_output, secret_encrypted)
           values (${values.map((value) => parameters.add(value)).join(', ')})
           returning ${ALL_COLUMNS}
         ), ${auditPart(audit, 'agent', 'id', parameters)}
         select * from agent`,
        parameters.values,
      );
      return detailsOf(row);
    },
    async maybeFindAgent(viewer, idOrName) {
      const parameters = new Parameters();
      const named = isUuid(idOrName)
        ? `a.id = ${parameters.add(idOrName)}`
        : `a.name = ${parameters.add(idOrName)}`;
      const visible = canViewAgent(viewer, parameters);
      const row = await database.maybeOne<AgentDetailsRow>(
        `select ${ALL_COLUMNS}
         from agents a
         where ${named} and ${visible}
         order by case when a.owner = ${parameters.add(viewer.userId)} then 0 when a.owner is null then 1 else 2 end, a.owner
         limit 1`,
        parameters.values,
      );
      return row && detailsOf(row);
    },
    async listAgents(viewer, { kind }, page) {
      const parameters = new Parameters();
      const rows = await database.many<AgentRow>(
        `select ${COLUMNS}
         from agents a
         where ${canViewAgent(viewer, parameters)}
           and ${kind === undefined ? 'true' : `a.kind = ${parameters.add(kind)}`}
           and ${isBeyond(page.after, { key: 'a.name', keyType: 'varchar', id: 'a.id' }, '>', parameters)}
         order by a.name, a.id
         limit ${parameters.add(page.limit + 1)}`,
        parameters.values,
      );
      return pageOf(rows, page, (row) => ({ key: row.name, id: row.id }), agentOf);
    },
    async maybeFindSecret(id) {
      const row = await database.maybeOne<{ secret_encrypted: Buffer | null }>(
        'select secret_encrypted from agents where id = $1',
        [id],
      );
      return row?.secret_encrypted ?? null;
    },
    async updateAgent(viewer, id, { kind, address, timeoutSeconds, exampleOutput, ...secret }, audit) {
      const parameters = new Parameters();
      const row = await database.maybeOne<AgentDetailsRow>(
        `with agent as (
           update agents as a
           set kind = ${parameters.add(kind)}, address = ${parameters.add(address)},
               timeout_seconds = ${parameters.add(timeoutSeconds)},
                example_output = ${parameters.add(jsonParameter(exampleOutput))}, updated_at = now()
               ${secretPart(secret, parameters)}
           where a.id = ${parameters.add(id)} and ${canManageAgent(viewer, parameters)}
           returning ${ALL_COLUMNS}
         ), ${auditPart(audit, 'agent', 'id', parameters)}
         select * from agent`,
        parameters.values,
      );
      return row && detailsOf(row);
    },
    async deleteAgent(viewer, id, audit) {
      const parameters = new Parameters();
      const deleted = await database.maybeOne<{ id: string }>(
        `with agent as (
           delete from agents a where a.id = ${parameters.add(id)} and ${canManageAgent(viewer, parameters)} returning a.id
         ), ${auditPart(audit, 'agent', 'id', parameters)}
         select id from agent`,
        parameters.values,
      );
      return deleted !== null;
    },
  };
}

/** What is set of a secret and the one before. An overlap that is over does not begin again. */
function secretPart({ secretEncrypted, overlapSeconds }: SecretChange, parameters: Parameters): string {
  const set = (secret: string, until: string) =>
    `, previous_secret_encrypted = case when ${until} > now() then ${secret} end,
       previous_secret_until = case when ${until} > now() then ${until} end`;
  if (secretEncrypted === null) {
    return ', secret_encrypted = null, previous_secret_encrypted = null, previous_secret_until = null';
  }
  const inSeconds = (seconds: number) => `now() + ${parameters.add(seconds)} * interval '1 second'`;
  if (secretEncrypted !== undefined) {
    const untilOfFormer = `case when a.secret_encrypted is not null then ${inSeconds(overlapSeconds ?? 0)} end`;
    return `, secret_encrypted = ${parameters.add(secretEncrypted)} ${set('a.secret_encrypted', untilOfFormer)}`;
  }
  if (overlapSeconds === undefined) return set('a.previous_secret_encrypted', 'a.previous_secret_until');
  return set(
    'a.previous_secret_encrypted',
    `case when a.previous_secret_until > now() then ${inSeconds(overlapSeconds)} end`,
  );
}

function agentOf(row: AgentRow): RegisteredAgent {
  return {
    id: row.id,
    owner: row.owner,
    name: row.name,
    kind: row.kind,
    address: row.address,
    timeoutSeconds: row.timeout_seconds,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

function detailsOf(row: AgentDetailsRow): AgentDetails {
  return {
    ...agentOf(row),
    exampleOutput: row.example_output,
    previousSecretUntil: row.previous_secret_until,
  };
}
