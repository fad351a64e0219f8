import { type AgentName, type AgentRoute, agentKey } from '../application/ports/agents.ts';
import type { Statements } from './database.ts';

export interface RouteRow {
  owner: string | null;
  name: string;
  kind: AgentRoute['kind'];
  address: string;
  timeout_seconds: number | null;
  secret_encrypted: Buffer | null;
  previous_secret_encrypted: Buffer | null;
  speed_address_hash: Buffer | null;
  average_ms: number | null;
  speed_age_ms: number | null;
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
  const found = new Map(rows.map((row) => [agentKey(row), routeOf(row)]));
  const routes = new Map<string, AgentRoute>();
  for (const agent of names) {
    const route = found.get(agentKey(agent)) ?? found.get(agentKey({ ...agent, owner: null }));
    if (route !== undefined) routes.set(agentKey(agent), route);
  }
  return routes;
}

function routeOf(row: RouteRow): AgentRoute {
  const { kind, address, owner, timeout_seconds: timeoutSeconds, average_ms: averageMs } = row;
  if (kind !== 'http') return { kind, address, timeoutSeconds };
  const speed =
    averageMs === null ? null : { addressHash: row.speed_address_hash!, averageMs, ageMs: row.speed_age_ms! };
  return {
    kind,
    address,
    timeoutSeconds,
    calling: {
      owner,
      secretEncrypted: row.secret_encrypted,
      previousSecretEncrypted: row.previous_secret_encrypted,
      speed,
    },
  };
}
