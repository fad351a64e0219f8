import { hashOf } from '../../shared/agent-bridge/agent-speeds.ts';
import type { AgentBehaviour } from './agent-server.ts';
import type { RunWorld } from './run-world.ts';

/** A busy machine's agents do not answer at once: the longest patience there is. */
export const PATIENT = { QUICK_CALL_PATIENCE_MS: '2000' };
/** For those who hold the tasks' topic: whether an agent is known to be quick by then is not theirs to say. */
export const TASKS_BY_TOPIC = { QUICK_CALL_PATIENCE_MS: '0' };

/** Everybody's HTTP agent that somebody has called, and that answered at once. */
export async function addQuickAgent(
  world: RunWorld,
  name: string,
  behaviour?: AgentBehaviour,
  { averageMs = 1 } = {},
): Promise<void> {
  await world.addAgent(name, behaviour);
  await tellAsQuick(world, name, averageMs);
}

async function tellAsQuick({ database, agents }: RunWorld, name: string, averageMs: number): Promise<void> {
  await database.execute(
    `insert into agent_speeds (name, owner, address_hash, average_ms) values ($1, '', $2, $3)`,
    [name, hashOf(agents.url(name)), averageMs],
  );
}
