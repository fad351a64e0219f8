import { type AgentName, type AgentRoute, agentKey } from '../application/ports.ts';
import type { Statements } from './database.ts';

export interface RouteRow {
  owner: string | null;
  name: string;
  kind: AgentRoute['kind'];
  address: string;
  timeout_seconds: number | null;
}

/** Agents by name as a run's owner sees them: their own come before everybody's (design §4, Agents). */
export async function loadAgentRoutes(
  statements: Statements,
  names: readonly AgentName[],
): Promise<ReadonlyMap<string, AgentRoute>> {
  const parameters = routeParameters(names);
  return routesOf(
    names,
    await statements.many<RouteRow>('select * from load_agent_routes($1, $2)', parameters),
  );
}

export function routeParameters(agents: readonly AgentName[]) {
  return [
    [...new Set(agents.map(({ name }) => name))],
    [...new Set(agents.map(({ owner }) => owner))],
  ] as const;
}

export function routesOf(
  names: readonly AgentName[],
  rows: readonly RouteRow[],
): ReadonlyMap<string, AgentRoute> {
  const found = new Map(
    rows.map(({ kind, address, timeout_seconds: timeoutSeconds, ...agent }) => [
      agentKey(agent),
      { kind, address, timeoutSeconds },
    ]),
  );
  const routes = new Map<string, AgentRoute>();
  for (const agent of names) {
    const route = found.get(agentKey(agent)) ?? found.get(agentKey({ ...agent, owner: null }));
    if (route !== undefined) routes.set(agentKey(agent), route);
  }
  return routes;
}
