import type { AgentRegistry as Registry } from '../agents/registry.ts';
import type { AgentRegistry, AgentRoute, Clock } from '../application/ports.ts';

const KEPT_FOR_MS = 10_000;

/**
 * The registry as the engine asks it: answers must be there without waiting while rows are locked. A registry that cannot be
 * asked counts as knowing nothing for now: the task goes to the HTTP bridge, which asks again and tells the run.
 */
export function createRegistryRoutes(registry: Registry, clock: Clock): AgentRegistry {
  const answers = new Map<string, { readonly route: AgentRoute | null; readonly until: number }>();
  return {
    known(name) {
      const answer = answers.get(name);
      return answer !== undefined && answer.until > clock.now() ? answer.route : undefined;
    },
    async lookUp(names) {
      for (const [name, { until }] of answers) if (until <= clock.now()) answers.delete(name);
      await Promise.all(
        names.map(async (name) => {
          const found = await registry.lookup(name);
          const route =
            found.status === 'found' ? { kind: found.agent.kind, address: found.agent.address } : null;
          answers.set(name, { route, until: clock.now() + KEPT_FOR_MS });
        }),
      );
    },
  };
}
