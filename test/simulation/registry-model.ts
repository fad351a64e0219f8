import type { AgentRegistry, AgentRoute } from '../../shared/application/ports/agents.ts';
import { REGISTRY_AGENT } from './topics.ts';

const ROUTE: AgentRoute = { kind: 'http', address: 'https://looked-up.test', timeoutSeconds: null };

/** The registry at AGENT_REGISTRY_URL, which hangs now and then. */
export class RegistryModel {
  isAway = false;
  readonly #isLate: () => boolean;

  /** @param isLate whether an answer comes after whoever asked has gone */
  constructor(isLate: () => boolean) {
    this.#isLate = isLate;
  }

  /** As one environment knows it. */
  seenByOne(): AgentRegistry {
    const told = new Map<string, AgentRoute | null>();
    return {
      known: (name) => told.get(name),
      lookUp: async (names) => {
        if (this.isAway || this.#isLate()) return;
        for (const name of names) told.set(name, name === REGISTRY_AGENT ? ROUTE : null);
      },
    };
  }
}
