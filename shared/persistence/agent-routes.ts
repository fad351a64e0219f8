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
        -- Two look-ups in the index: an "or" would read every agent of that name, whoever owns it.
        select kind, address from (
          select 1 as rank, a.kind, a.address from agents a where a.name = asked.name and a.owner = asked.owner
          union all
          select 2, a.kind, a.address from agents a where a.name = asked.name and a.owner is null
        ) as either order by rank limit 1
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
