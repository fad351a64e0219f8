import { type AgentName, type AgentRoute, agentKey } from '../application/ports.ts';
import type { Statements } from './database.ts';

interface RouteRow {
  asked_owner: string | null;
  name: string;
  kind: AgentRoute['kind'];
  address: string;
}

/** Agents by name as a run's owner sees them: their own come before everybody's (design §4, Agents). */
export async function loadAgentRoutes(
  statements: Statements,
  names: readonly AgentName[],
): Promise<ReadonlyMap<string, AgentRoute>> {
  const rows = await statements.many<RouteRow>(
    `select asked.owner as asked_owner, asked.name, found.kind, found.address
       from unnest($1::text[], $2::text[]) as asked (owner, name)
      cross join lateral (
        select a.kind, a.address from agents a
         where a.name = asked.name and (a.owner = asked.owner or a.owner is null)
         order by a.owner nulls last limit 1
      ) as found`,
    [names.map(({ owner }) => owner), names.map(({ name }) => name)],
  );
  return new Map(
    rows.map(({ asked_owner, name, kind, address }) => [
      agentKey({ owner: asked_owner, name }),
      { kind, address },
    ]),
  );
}
