import { type AgentName, type AgentRoute, agentKey } from '../application/ports.ts';
import type { Statements } from './database.ts';

interface RouteRow {
  owner: string | null;
  name: string;
  kind: AgentRoute['kind'];
  address: string;
}

/** Agents by name as a run's owner sees them: their own come before everybody's (design §4, Agents). */
export async function loadAgentRoutes(
  statements: Statements,
  names: readonly AgentName[],
): Promise<ReadonlyMap<string, AgentRoute>> {
  // Two look-ups in the index: an "or" would read every agent of that name, whoever owns it.
  const rows = await statements.many<RouteRow>(
    `select owner, name, kind, address from agents where name = any($1::text[]) and owner = any($2::text[])
     union all
     select owner, name, kind, address from agents where name = any($1::text[]) and owner is null`,
    [[...new Set(names.map(({ name }) => name))], [...new Set(names.map(({ owner }) => owner))]],
  );
  const found = new Map(rows.map(({ kind, address, ...agent }) => [agentKey(agent), { kind, address }]));
  const routes = new Map<string, AgentRoute>();
  for (const agent of names) {
    const route = found.get(agentKey(agent)) ?? found.get(agentKey({ ...agent, owner: null }));
    if (route !== undefined) routes.set(agentKey(agent), route);
  }
  return routes;
}
